"""`millstream chaos`: faults upon faults, and whether every event was still counted once."""

from __future__ import annotations

import asyncio
import json as json_format
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from millstream import logs

if TYPE_CHECKING:
    from millstream.local.chaos.orders import Orders
    from millstream.local.chaos.report import Report

BROKEN = 3
"""The exit code where any promise was broken."""


class Check(StrEnum):
    """A protection that can be switched off, to see that the harness finds it."""

    GAP_CHECK = "gap-check"
    DEDUPE = "dedupe"
    SLOWEST_CLOCK = "slowest-clock"
    ERASE_CHECK = "erase-check"
    WITNESS = "witness"


class Tier(StrEnum):
    BARE = "bare"
    FAUST = "faust"
    REVIEWS = "reviews"


def chaos(  # noqa: PLR0913, PLR0917  each is an option of the command line
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same faults.")] = 1,
    minutes: Annotated[float, typer.Option(min=0.25, help="How long, the last recount apart.")] = 8,
    without: Annotated[
        Check | None, typer.Option(help="Switch one protection off: must be found.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="A journal: adds a slice, and prints the totals.")
    ] = None,
    fault: Annotated[list[str] | None, typer.Option(help="Only this kind; repeatable.")] = None,
    tier: Annotated[list[Tier] | None, typer.Option(help="Only these workers.")] = None,
    lanes: Annotated[int, typer.Option(min=1, max=16, help="Deployments side by side.")] = 4,
    rate: Annotated[float, typer.Option(min=50, help="Records a second, over all lanes.")] = 2800,
    schedules: Annotated[
        int, typer.Option(min=0, help="Simulated ones beside the lanes, if there is time.")
    ] = 300,
    logs_to: Annotated[
        Path | None, typer.Option(help="Keep the workers' logs of broken episodes here.")
    ] = None,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Kills, freezes, cuts and wipes everything under load, and recounts. Exit code 3: a promise
    was broken."""
    from millstream.local.chaos.journal import Journal
    from millstream.local.chaos.orders import TIERS, Orders
    from millstream.local.chaos.view import summary

    logs.configure("CRITICAL")
    journal = Journal(resume) if resume is not None else None
    orders = Orders(
        seed=seed if journal is None else journal.next_seed(seed),
        minutes=minutes,
        without=None if without is None else without.value,
        tiers=tuple(one.value for one in tier) if tier else TIERS,
        only=fault or (),
        lanes=lanes,
        rate=rate,
        schedules=schedules,
        logs=logs_to,
    )
    report = _run(orders)
    found = report.as_json() if journal is None else journal.add(report)
    if json:
        sys.stdout.write(json_format.dumps(found) + "\n")
    else:
        Console().print(summary(found))
    sys.stdout.flush()
    if report.broken:
        raise SystemExit(BROKEN)


def _run(orders: Orders) -> Report:
    from millstream.local.chaos.run import chaos as play
    from millstream.local.chaos.view import View

    with View(Console(stderr=True), orders.minutes) as view:
        return asyncio.run(play(orders, view))
