"""`millstream bench NAME`: the promised figures, each measured by a file of benchmarks/."""

from __future__ import annotations

import importlib
import json as json_format
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream import logs
from millstream.cli.result import write_result
from millstream.domain.errors import OperatorError
from millstream.domain.models import Network

app = typer.Typer(no_args_is_help=True, help="Measures what is promised.")

ROOT = Path(__file__).parents[3]


class Broker(StrEnum):
    """What is started where KAFKA_BOOTSTRAP_SERVERS names none."""

    APACHE = "apache"
    TANSU = "tansu"
    AUTO = "auto"


@app.command()
def ingest(
    broker: Annotated[
        Broker, typer.Option(help="auto: Apache Kafka where it can run.")
    ] = Broker.AUTO,
    events: Annotated[int, typer.Option(min=1_000, help="Read in every round.")] = 100_000,
    rounds: Annotated[int, typer.Option(min=1, help="Each reads the topic once a side.")] = 2,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Exact counting by the Faust worker against a bare loop: events per second of both."""
    logs.configure("WARNING")
    made, measure = benchmark("made_events", ROOT), benchmark("ingest", ROOT)
    load = made.Load(events=events, shoppers=max(1, events // 5), items=10_000, seed=1)
    show(measure.main(_chosen(broker), load, rounds, Console(stderr=True)), json)


@app.command()
def training(
    lines: Annotated[
        int, typer.Option(min=1_000, help="Purchased lines trained on, and as many asked about.")
    ] = 60_000,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """The document's batch and epochs beside ours: seconds and quality of the model alone."""
    logs.configure("WARNING")
    show(benchmark("training", ROOT).main(lines, Console(stderr=True)), json)


@app.command()
def warm_starts(
    data: Annotated[
        Path | None,
        typer.Option(help="A folder of RetailRocket's events; else Online Retail, as shipped."),
    ] = None,
    versions: Annotated[int, typer.Option(min=1, help="One after the other.")] = 10,
    network: Annotated[Network, typer.Option(help="That learns.")] = Network.DOT_PRODUCT,
    only: Annotated[
        int | None, typer.Option(min=1, help="Of the versions the first so many, else all.")
    ] = None,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Versions that go on from each other beside full trainings: CPU seconds and quality."""
    logs.configure("WARNING")
    console = Console(stderr=True)
    found = benchmark("warm_starts", ROOT).main(data, versions, only, network, console)
    given = f" --versions {versions} --network {network}" + (f" --only {only}" if only else "")
    _show_made("warm-starts", data, given, found, json)


@app.command()
def first_version(
    data: Annotated[
        Path | None,
        typer.Option(help="A folder of RetailRocket's events; else Online Retail, as shipped."),
    ] = None,
    network: Annotated[
        list[Network] | None, typer.Option(help="To choose among; both where none is given.")
    ] = None,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """A version from files to artefact, choosing among networks: CPU minutes and memory."""
    logs.configure("WARNING")
    networks = network or list(Network)
    found = benchmark("first_version", ROOT).main(data, networks, Console(stderr=True))
    given = "".join(f" --network {each}" for each in network or ())
    _show_made("first-version", data, given, found, json)


@app.command()
def scoring(
    items: Annotated[
        list[int] | None, typer.Option(min=1_000, help="10k, 40k, 200k and 1M where none is given.")
    ] = None,
    index_from: Annotated[
        int, typer.Option(min=1, help="From so many items on through an index.")
    ] = 20_000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Of asking, for each size.")] = 5.0,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Nearest items by size of the shop: lists a second, p99, recall. Exit code 3 where a list
    grows dearer or poorer than promised."""
    logs.configure("WARNING")
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported, which is below
    measure = benchmark("scoring", ROOT)
    sizes = items or [10_000, 40_000, 200_000, 1_000_000]
    result = measure.main(sizes, index_from, seconds, Console(stderr=True))
    show(result, json)
    for failure in result["failed"]:
        Console(stderr=True).print(failure)
    if result["failed"]:
        raise typer.Exit(3)


@app.command()
def rebuild(
    events: Annotated[
        int, typer.Option(min=1_000, help="On the topic; some of them twice.")
    ] = 1_000_000,
    processes: Annotated[int, typer.Option(min=1, help="That read side by side.")] = 2,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """A Redis that lost all, counted anew from Apache Kafka: events per second, and whether every
    count is right. Exit code 3 where one is not."""
    logs.configure("WARNING")
    made, measure = benchmark("made_events", ROOT), benchmark("rebuild", ROOT)
    load = made.Load(events=events, shoppers=max(1, events // 5), items=10_000, seed=1)
    result = measure.main(load, processes, Console(stderr=True))
    show(result, json)
    if not result["exact"]:
        raise typer.Exit(3)


def benchmark(name: str, root: Path) -> Any:
    """The module benchmarks/<name>.py of the source tree. Raises OperatorError without one."""
    if not (root / "benchmarks" / f"{name}.py").is_file():
        raise OperatorError(
            "benchmarks",
            f"no benchmarks/{name}.py beside the package",
            "the source tree",
            "Run it from a clone that was installed with `pip install -e .`",
        )
    if str(root) not in sys.path:
        sys.path.append(str(root))
    return importlib.import_module(f"benchmarks.{name}")


def _show_made(name: str, data: Path | None, given: str, found: dict[str, Any], json: bool) -> None:
    """With `json` beside what made it: `given`, the options after the data."""
    if not json:
        show(found, json)
        return
    folder = "" if data is None else f" --data {data.resolve().name}"
    write_result(f"bench {name}{folder}{given}", found["seed"], found)


def _chosen(broker: Broker) -> str:
    from millstream.local.kafka_jars import availability

    if broker is not Broker.AUTO:
        return broker
    return Broker.TANSU if availability() else Broker.APACHE


def show(result: dict[str, Any], as_json: bool) -> None:
    """As one line of JSON, for `millstream bench NAME --json > benchmarks/results/NAME.json`, or as
    a table."""
    if as_json:
        sys.stdout.write(json_format.dumps(result) + "\n")
        return
    table = Table(show_header=False)
    for name, value in result.items():
        table.add_row(name, f"{value:,}" if isinstance(value, int | float) else str(value))
    Console().print(table)
