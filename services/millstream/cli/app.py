"""The commands. Each one loads its settings, calls one function, and prints what came of it."""

from __future__ import annotations

import asyncio

import typer

from millstream.cli import logs
from millstream.settings import ConnectionSettings, load

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Shop events in, each shopper's recommendations out.",
)


@app.command()
def init(
    slots: int = typer.Option(16, min=1, max=1024, help="State slots; fixed for life."),
    replay: bool = typer.Option(False, help="Topics for old events: their own time, kept forever."),
    partitions: int | None = typer.Option(None, min=1, help="Instead of deploy/topics.yaml."),
) -> None:
    """Creates the topics, loads the Redis functions, sets the slots, makes the signing key."""
    from millstream.setup import set_up

    logs.configure()
    done = asyncio.run(
        set_up(load(ConnectionSettings), slots=slots, replay=replay, partitions=partitions)
    )
    typer.echo(done)


@app.command()
def recommender() -> None:
    """Counts events and publishes lists, until SIGTERM."""
    from millstream.recommender.app import run
    from millstream.recommender.settings import RecommenderSettings

    logs.configure()
    run(load(RecommenderSettings))


@app.command()
def lake() -> None:
    """Keeps every record in Parquet files, until SIGTERM."""
    from millstream.lake.settings import LakeSettings
    from millstream.lake.wiring import run

    logs.configure()
    asyncio.run(run(load(LakeSettings)))
