"""`millstream verify gate`: what the trainer's gate lets through."""

from __future__ import annotations

import typer

from millstream.cli.result import Asked


def gate(json: bool = typer.Option(False, help="End with one JSON object.")) -> None:
    """Six models whose verdict is known: four must be refused, one held, one promoted."""
    from millstream.cli.playing import report
    from millstream.local.gate_trials import SEEDS, Trials, verify_gate

    report(verify_gate, json, Trials.failures, Asked("verify gate", SEEDS))
