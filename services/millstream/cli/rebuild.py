"""`millstream rebuild`: a Redis that was wiped is counted anew."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from millstream.cli.beginning import begin
from millstream.cli.variables import checked
from millstream.insights.settings import InsightsSettings
from millstream.recommender.settings import RecommenderSettings


def rebuild(
    processes: Annotated[int, typer.Option(min=1, max=64, help="That read side by side.")] = 2,
    resume: Annotated[bool, typer.Option(help="Goes on where one was cut short.")] = False,
    wipe: Annotated[bool, typer.Option(help="First takes away what is counted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a wipe.")] = False,
    from_lake: Annotated[bool, typer.Option(help="From the lake alone: the log is gone.")] = False,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Counts all events anew, and all verdicts on reviews, from the log, and from the lake where
    the log no longer has them.

    For an empty Redis, stopped recommenders and stopped insights. Erasures come first; lists are
    not published and dead letters not sent again."""
    from millstream.rebuild import telemetry
    from millstream.rebuild.part import LOG_LEVEL
    from millstream.rebuild.reviews import ReviewsOutcome, rebuild_reviews
    from millstream.rebuild.spans import Options
    from millstream.rebuild.wiring import Outcome
    from millstream.rebuild.wiring import rebuild as run

    settings = begin("rebuild", RecommenderSettings, LOG_LEVEL)
    if wipe and not yes:
        typer.confirm(
            f"All counts under {settings.redis_prefix!r} will be taken away, and counted anew from "
            "log and lake. Go on?",
            abort=True,
        )
    options = Options(processes, resume, wipe, from_lake)
    with _bar() as bar:
        task = bar.add_task("counting anew", total=None, speed=0.0)

        def show(done: int, total: int) -> None:
            telemetry.progress(done, total)
            bar.update(task, completed=done, total=total, speed=bar.tasks[0].speed or 0.0)

        outcome: Outcome = asyncio.run(run(settings, options, show))
    of_insights = checked(InsightsSettings)
    group = of_insights.topic(of_insights.insights_group)
    reviews: ReviewsOutcome | None = asyncio.run(rebuild_reviews(settings, group, options))
    told = {**msgspec.to_builtins(outcome), "reviews": msgspec.to_builtins(reviews)}
    if json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    table = Table(show_header=False)
    for name, value in told.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int | float) else str(value))
    Console().print(table)


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
