"""The commands. Each one loads its settings, calls one function, and prints what came of it."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from millstream import logs
from millstream.cli import (
    bench,
    bench_services,
    chaos,
    dead_letters,
    demo,
    doctor,
    erase,
    evaluate,
    evaluate_demand,
    evaluate_networks,
    evaluate_new_items,
    evaluate_questions,
    evaluate_reviews,
    evaluate_search,
    evaluate_stream,
    evaluate_variety,
    experiments,
    fences,
    fuzz,
    gateway,
    keys,
    mapping,
    models,
    rebuild,
    report_fairness,
    tune,
    verify_experiments,
    verify_gate,
    verify_page,
)
from millstream.cli.beginning import begin
from millstream.cli.variables import checked
from millstream.settings import ConnectionSettings

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
        set_up(checked(ConnectionSettings), slots=slots, replay=replay, partitions=partitions)
    )
    typer.echo(done)


@app.command()
def recommender() -> None:
    """Counts events and publishes lists, until SIGTERM."""
    from millstream.recommender.app import run
    from millstream.recommender.settings import RecommenderSettings

    run(begin("recommender", RecommenderSettings))


@app.command()
def lake() -> None:
    """Keeps every record in Parquet files, until SIGTERM."""
    from millstream.lake.settings import LakeSettings
    from millstream.lake.wiring import run

    asyncio.run(run(begin("lake", LakeSettings)))


@app.command()
def attribution() -> None:
    """Counts what shoppers do with their lists, until SIGTERM."""
    from millstream.attribution.wiring import run
    from millstream.settings import ConnectionSettings

    asyncio.run(run(begin("attribution", ConnectionSettings)))


@app.command()
def insights() -> None:
    """Tells what each item will sell, and what buyers say of it, until SIGTERM."""
    from millstream.insights.settings import InsightsSettings
    from millstream.trainer.limits import bound_cpu

    settings = begin("insights", InsightsSettings)
    bound_cpu(1, settings.insights_niceness)
    if settings.insights_reviews:
        from millstream.insights.app import run as run_app

        run_app(settings)
    from millstream.insights.wiring import run

    asyncio.run(run(settings))


@app.command()
def trainer(
    once: bool = typer.Option(False, help="Train if a version is due, and end: for a cron job."),
) -> None:
    """Trains models, on the lake or on reviews, and promotes better ones, until SIGTERM."""
    from millstream.model.sentiment.manifest import MODEL as REVIEWS
    from millstream.trainer.limits import bound_cpu
    from millstream.trainer.settings import TrainerSettings

    settings = begin("trainer", TrainerSettings)
    bound_cpu(settings.threads, settings.niceness)
    if settings.model_name == REVIEWS:
        from millstream.trainer.sentiment.wiring import run as run_reviews

        asyncio.run(run_reviews(settings, once=once))
        return
    from millstream.trainer.wiring import run

    asyncio.run(run(settings, once=once))


@app.command()
def replay(
    data: Annotated[Path, typer.Option(help="A folder with events.csv or events.csv.gz.")],
    speed: float | None = typer.Option(None, min=0.1, help="Events per second; else: as it can."),
    json: bool = typer.Option(False, help="End with one JSON object."),
) -> None:
    """The whole system on recorded browse and purchase events (RetailRocket's columns)."""
    from millstream.cli.playing import report
    from millstream.local.demo import play
    from millstream.local.recordings import retailrocket

    recording = retailrocket(data, speed)
    report(partial(play, recording), json, lambda summary: summary.failures(recording.required))


app.command()(chaos.chaos)
app.command()(demo.demo)
app.command()(doctor.doctor)
app.command()(erase.erase)
app.command()(gateway.gateway)
app.command("map")(mapping.map_file)
app.command()(rebuild.rebuild)
app.add_typer(keys.app, name="keys")
app.add_typer(models.app, name="models")
evaluate.app.command()(evaluate_demand.demand)
evaluate.app.command()(evaluate_networks.networks)
evaluate.app.command()(evaluate_new_items.new_items)
evaluate.app.command()(evaluate_questions.questions)
evaluate.app.command()(evaluate_reviews.reviews)
evaluate.app.command()(evaluate_search.search)
evaluate.app.command()(evaluate_stream.stream)
evaluate.app.command()(evaluate_variety.variety)
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(experiments.app, name="experiments")
bench.app.command()(fuzz.fuzz)
bench_services.add_to(bench.app)
app.add_typer(bench.app, name="bench")
app.add_typer(fences.app, name="fences")
app.add_typer(report_fairness.app, name="report")
app.command()(tune.tune)
verify = typer.Typer(no_args_is_help=True, help="Promises, shown on this machine.")
app.add_typer(verify, name="verify")
verify.command()(verify_experiments.experiments)
verify.command()(verify_gate.gate)
verify.command()(verify_page.page)


@verify.command()
def takeover(json: bool = typer.Option(False, help="End with one JSON object.")) -> None:
    """Two workers on Apache Kafka; one is killed with kill -9 in the middle of a replay."""
    from millstream.cli.playing import report
    from millstream.local.takeover import Takeover, take_over

    report(take_over, json, Takeover.failures)


@app.command()
def kafka() -> None:
    """Resolves the jars of Apache Kafka with Maven into a cache, for live tests and benches."""
    from millstream.local.kafka_jars import class_path

    class_path()
    typer.echo("Apache Kafka's jars are in the cache.")


@app.command()
def schemas(
    directory: Annotated[Path, typer.Option(help="Where to write.")] = Path("schemas"),
    reference: Annotated[Path, typer.Option(help="The page for people.")] = Path(
        "docs/messages.md"
    ),
) -> None:
    """Writes JSON Schemas, the gateway's OpenAPI and the reference page from the types."""
    from millstream.cli.message_reference import write_reference
    from millstream.cli.openapi import write_openapi
    from millstream.cli.schemas import write_schemas

    written = [*write_schemas(directory), write_openapi(directory)]
    for path in [*written, write_reference(directory, reference)]:
        typer.echo(path)
