"""`millstream verify experiments`: what the stop rule and the checks of experiments hold."""

from __future__ import annotations

import typer

from millstream.cli.result import Asked


def experiments(json: bool = typer.Option(False, help="End with one JSON object.")) -> None:
    """Thousands of A/A runs that are looked at all along; a better variant; a split that leaks."""
    from millstream.cli.playing import report
    from millstream.local.experiment_trials import SEED, Trials, verify_experiments

    report(verify_experiments, json, Trials.failures, Asked("verify experiments", (SEED,)))
