"""`millstream experiments`: what an experiment has shown, as the gateway's panel tells it."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from millstream import logs
from millstream.cli.experiment_shown import rendered
from millstream.cli.variables import checked
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.experiments import Experiment
from millstream.experiments.showing import ExperimentShown, shown
from millstream.settings import ConnectionSettings
from millstream.stores.attributions import Attributions
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.keys import Keys
from millstream.stores.redis import connected
from millstream.streaming.followers import follow, read_to_its_end
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import EVENTS, EXPERIMENTS

CATCH_UP_S = 30.0
MOST_NAMED = 10

app = typer.Typer(no_args_is_help=True, help="What experiments have shown.")


@app.callback()
def experiments() -> None:
    """A group, also while it has one command."""


@app.command()
def show(
    experiment: Annotated[
        str | None, typer.Argument(help="Else the one that runs, or the newest.")
    ] = None,
    tenant: str = typer.Option("default"),
    json: bool = typer.Option(False, help="End with one JSON object."),
) -> None:
    """What the shoppers of each variant did, with intervals that hold at every look; whether the
    split is as laid down; what is decided."""
    logs.configure("ERROR")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error says what it would
    told = asyncio.run(_shown(checked(ConnectionSettings), tenant, experiment))
    if json:
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        Console().print(rendered(told, tenant))


def chosen(book: ExperimentBook, tenant: str, name: str | None) -> Experiment:
    """The one of that name; without a name the one that runs, else the newest. Raises
    OperatorError where there is none."""
    every = book.experiments(tenant)
    if not every:
        raise OperatorError(
            f"tenant {tenant}",
            "no experiment",
            "one that was begun",
            "Name another tenant with --tenant, or begin one: docs/experiments.md",
        )
    if name is None:
        return book.running(tenant) or every[0]
    found = book.find(tenant, name)
    if found is None:
        named = ", ".join(one.experiment_id for one in every[:MOST_NAMED])
        raise OperatorError(
            f"experiment {name!r}",
            f"none of that name at tenant {tenant}",
            f"{'one of the newest, ' if len(every) > MOST_NAMED else ''}{named}",
        )
    return found


async def _shown(settings: ConnectionSettings, tenant: str, name: str | None) -> ExperimentShown:
    found = chosen(await _book(settings), tenant, name)
    partitions = len(await partitions_of(settings.brokers, settings.topic(EVENTS)))
    redis = await connected(settings.redis_url)
    try:
        store = Attributions(redis, Keys(settings.redis_prefix))
        counted = await store.cohorts(tenant, found.experiment_id, partitions)
    finally:
        await redis.aclose()
    return shown(found, *counted, as_datetime(wall_clock()))


async def _book(settings: ConnectionSettings) -> ExperimentBook:
    servers, topic, book = settings.brokers, settings.topic(EXPERIMENTS), ExperimentBook(wall_clock)
    await partitions_of(servers, topic)  # to follow a topic could create it
    records = follow(servers, topic, lambda record: book.take(record.key, record.value))
    await read_to_its_end(records, servers, topic, CATCH_UP_S, "every experiment there was")
    await records.close()
    return book
