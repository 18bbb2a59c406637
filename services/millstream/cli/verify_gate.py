"""`millstream verify gate`: what the trainer's gate lets through."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from millstream.cli.result import write_result

if TYPE_CHECKING:
    from millstream.local.gate_trials import Trials


def gate(json: bool = typer.Option(False, help="End with one JSON object.")) -> None:
    """Six models whose verdict is known: four must be refused, one held, one promoted."""
    from millstream.cli.playing import report, tell
    from millstream.local.gate_trials import SEEDS, Trials, verify_gate

    async def told(console: Console) -> Trials:
        found = await verify_gate(console)
        if json:
            write_result("verify gate", SEEDS, asdict(found))
        else:
            tell(found, as_json=False)
        return found

    report(told, json, Trials.failures, told=True)
