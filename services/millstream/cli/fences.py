"""`millstream fences`: where counting stands, where it begins, and a new beginning."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millstream import logs
from millstream.cli.variables import checked
from millstream.counting.positions import Position, State, begin_at, positions
from millstream.domain.brokers import Servers
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.epoch import bump_epoch
from millstream.stores.keys import Keys
from millstream.stores.redis import connected, read_slots
from millstream.stores.verdict_store import review_keys
from millstream.streaming.topics import EVENTS, REVIEW_VERDICTS

app = typer.Typer(no_args_is_help=True, help="Where counting stands in the log.")
T = TypeVar("T")
Json = Annotated[bool, typer.Option(help="One JSON object.")]


class Counted(StrEnum):
    """What is counted from a log."""

    EVENTS = "events"
    REVIEWS = "reviews"


Of = Annotated[Counted, typer.Option(help="Whose fences.")]


@app.command()
def show(of: Of = Counted.EVENTS, json: Json = False) -> None:
    """Per partition: the fences, what the log has, the lists' watermark, the ledger."""
    found = _with_state(of, positions)
    if json:
        sys.stdout.write(msgspec.json.encode({"partitions": found}).decode() + "\n")
    else:
        Console().print(_table(found))


@app.command()
def init(
    at: Annotated[str, typer.Option(help="earliest, latest, or an ISO time with its offset.")],
    partition: Annotated[int | None, typer.Option(min=0, help="Only this one.")] = None,
    of: Of = Counted.EVENTS,
    json: Json = False,
) -> None:
    """Where to begin, for partitions that were never counted; without it, at offset 0."""
    begun = _with_state(of, lambda servers, state: begin_at(servers, state, at, partition))
    if json:
        sys.stdout.write(msgspec.json.encode({"begins": begun}).decode() + "\n")
        return
    for number, offset in begun.items():
        typer.echo(f"partition {number} begins at {offset}")


@app.command("bump-epoch")
def bump(
    of: Of = Counted.EVENTS,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Forgets all positions: every partition is counted from its first record on, or from where
    `fences init` says. What was counted stays, and ids of the last two days are still known."""
    if not yes:
        typer.confirm(
            "Every partition will be read from its beginning; an event whose id is no longer "
            "known is counted again. Read deploy/runbooks first. Go on?",
            abort=True,
        )
    epoch = _with_state(of, lambda _, state: bump_epoch(state.redis, state.keys, state.slots))
    if json:
        sys.stdout.write(msgspec.json.encode({"epoch": epoch}).decode() + "\n")
    else:
        typer.echo(f"epoch {epoch} is in force in every slot; who counts will restart")


def _with_state(of: Counted, work: Callable[[Servers, State], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = checked(RecommenderSettings)
        redis, keys = await connected(settings.redis_url), Keys(settings.redis_prefix)
        try:
            slots, group = await read_slots(redis, keys), settings.topic(settings.group)
            if of is Counted.REVIEWS:
                own, topic = review_keys(settings.redis_prefix), settings.topic(REVIEW_VERDICTS)
                return await work(settings.brokers, State(redis, own, slots, topic))
            topic = settings.topic(EVENTS)
            return await work(settings.brokers, State(redis, keys, slots, topic, group))
        finally:
            await redis.aclose()

    logs.configure("ERROR")
    return asyncio.run(run())


def _table(found: list[Position]) -> Table:
    table = Table(title=_epochs(found), title_justify="left")
    for heading in (
        *("partition", "fences", "begun at", "log", "lists out to", "lag"),
        *(found[0].ledger if found else ()),
        "residue",
    ):
        table.add_column(heading, justify="right")
    for at in found:
        fences = f"{at.lowest}" if at.lowest == at.highest else f"{at.lowest}-{at.highest}"
        table.add_row(
            str(at.partition),
            fences,
            str(at.start),
            f"{at.log_start}-{at.log_end}",
            "-" if at.watermark is None else str(at.watermark),
            str(at.lag),
            *(str(n) for n in at.ledger.values()),
            "-" if at.residue is None else str(at.residue),
        )
    return table


def _epochs(found: list[Position]) -> str:
    epoch = found[0].epoch if found else ""
    if "," in epoch:
        return f"Epochs {epoch}: a bump did not get through; run `millstream fences bump-epoch`"
    return f"Epoch {epoch}"
