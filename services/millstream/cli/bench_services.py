"""`millstream bench NAME` where services run on Apache Kafka and are measured from outside."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from millstream import logs
from millstream.cli.bench import ROOT, benchmark, show
from millstream.domain.models import Network

Json = Annotated[bool, typer.Option("--json", help="End with one JSON object.")]
Items = Annotated[int, typer.Option(min=1_000, help="In the catalogue and in the model.")]
IndexFrom = Annotated[int, typer.Option(min=1, help="From so many items on through an index.")]

INDEX_FROM = 20_000
VISITS = 4
"""Of each shopper before a backlog."""
TENANTS, TIMES = 20, 50.0
"""Of `tenants`: among so many the recommender is divided; of a tenant's fair rate what floods."""


def _begin() -> Console:
    logs.configure("WARNING")
    # A producer's first tries at a topic that is new; what fails for good is raised.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read when numpy is imported, by the benchmarks
    return Console(stderr=True)


def end_to_end(  # noqa: PLR0913, PLR0917  an option each
    items: Items = 40_000,
    shoppers: Annotated[int, typer.Option(min=500, help="A list for each.")] = 20_000,
    workers: Annotated[int, typer.Option(min=1, max=12, help="Recommenders.")] = 2,
    index_from: IndexFrom = INDEX_FROM,
    blend: Annotated[
        bool, typer.Option("--blend", help="Lists by a learnt blend, not by fixed weights.")
    ] = False,
    network: Annotated[
        Network, typer.Option(help="Of the made-up version; its weights are drawn.")
    ] = Network.DOT_PRODUCT,
    json: Json = False,
) -> None:
    """Events of distinct shoppers to published lists, against the scoring alone; by stage."""
    console, bench = _begin(), benchmark("end_to_end", ROOT)
    size = bench.Size(items, shoppers, workers, VISITS, 5.0, index_from, blend, network)
    show(bench.main(size, console), json)


def latency(
    items: Items = 40_000,
    shoppers: Annotated[int, typer.Option(min=500, help="They come in turn.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="Of each of the six loads.")] = 20.0,
    index_from: IndexFrom = INDEX_FROM,
    training: Annotated[
        bool, typer.Option("--training", help="Half of it once more, beside a trainer.")
    ] = False,
    json: Json = False,
) -> None:
    """From send to the list read, at 10, 50 and 80 % of saturation, against Kafka alone."""
    console, bench = _begin(), benchmark("latency", ROOT)
    size = bench.Size(items, shoppers, seconds, index_from, training)
    show(bench.main(size, console), json)


def memory(
    users: Annotated[
        int, typer.Option(min=1_000, help="Counted; told per million. A million take 20 minutes.")
    ] = 100_000,
    items: Annotated[int, typer.Option(min=100, help="In the shop.")] = 100_000,
    soak_minutes: Annotated[
        float, typer.Option(min=0, help="Also the growth of a recommender under load.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """What Redis holds per million shoppers and per item, by kind."""
    console, bench = _begin(), benchmark("memory", ROOT)
    show(bench.main(bench.Size(users, items), soak_minutes, console), json)


def scale(
    events: Annotated[int, typer.Option(min=1_000, help="Counted by each number of workers.")] = (
        100_000
    ),
    workers: Annotated[list[int] | None, typer.Option(min=1, max=12, help="1, 2 and 4.")] = None,
    restarts: Annotated[int, typer.Option(min=1, help="Times kill -9.")] = 5,
    starts: Annotated[int, typer.Option(min=1, help="Times into an empty group.")] = 3,
    json: Json = False,
) -> None:
    """CPU time an event by number of workers; from kill -9 to counting again; from start to it."""
    console, bench = _begin(), benchmark("scale", ROOT)
    counts = tuple(sorted(set(workers or (1, 2, 4))))
    show(bench.main(bench.Size(events, counts, restarts, starts), console), json)


def profiles(
    output: Annotated[Path, typer.Option(help="A folder for the text files.")] = (
        ROOT / "benchmarks" / "results" / "profiles"
    ),
    events: Annotated[int, typer.Option(min=1_000, help="Counted without lists.")] = 200_000,
    shoppers: Annotated[int, typer.Option(min=500, help="Two lists for each.")] = 20_000,
    items: Items = 40_000,
    index_from: IndexFrom = INDEX_FROM,
    json: Json = False,
) -> None:
    """Where a recommender's CPU time goes, by py-spy: counting, with lists, and under live load."""
    console, bench = _begin(), benchmark("profiles", ROOT)
    show(bench.main(bench.Size(events, items, shoppers, index_from), output, console), json)


def gateway(
    shoppers: Annotated[int, typer.Option(min=1, help="Each with a stored list.")] = 20_000,
    connections: Annotated[int, typer.Option(min=1, help="Each asks again once answered.")] = 16,
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each of a round's two sides.")] = 5.0,
    rounds: Annotated[int, typer.Option(min=1, help="Of the gateway, then the bare server.")] = 5,
    json: Json = False,
) -> None:
    """A stored list over HTTP, against a raw handler on the same server."""
    console, bench = _begin(), benchmark("gateway", ROOT)
    show(bench.main(bench.Size(shoppers, connections, seconds, rounds), console), json)


def reviews(
    reviews: Annotated[int, typer.Option(min=1_000, help="Made up; all wait on the topic.")] = (
        40_000
    ),
    shoppers: Annotated[int, typer.Option(min=1, help="Who wrote them.")] = 20_000,
    items: Annotated[int, typer.Option(min=1, help="Which they are of.")] = 4_000,
    json: Json = False,
) -> None:
    """Made-up reviews from their topic to exact counts, against the judging alone."""
    console, bench = _begin(), benchmark("reviews", ROOT)
    show(bench.main(bench.Size(reviews, shoppers, items), console), json)


def tenants(
    items: Items = 40_000,
    shoppers: Annotated[int, typer.Option(min=500, help="Of each of the two.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="Of each of the two loads.")] = 20.0,
    fair_after_ms: Annotated[int, typer.Option(min=0, help="0: without fairness.")] = 300,
    index_from: IndexFrom = INDEX_FROM,
    json: Json = False,
) -> None:
    """How long a tenant waits for its lists beside another that sends 2.5 times as many events as
    the recommender makes lists. Exit code 3 where an event is not counted."""
    console, bench = _begin(), benchmark("tenants", ROOT)
    size = bench.Size(items, shoppers, seconds, TENANTS, TIMES, fair_after_ms, index_from)
    result = bench.main(size, console)
    show(result, json)
    if not result["exact"]:
        raise typer.Exit(3)


def gateway_flood(
    seconds: Annotated[float, typer.Option(min=0.5, help="Of each of the two loads.")] = 20.0,
    connections: Annotated[int, typer.Option(min=1, help="Of the quiet tenant.")] = 4,
    noisy_connections: Annotated[int, typer.Option(min=1, help="Of the one that floods.")] = 8,
    events_per_second: Annotated[
        int, typer.Option(min=500, help="What the gateway takes of one key.")
    ] = 2_000,
    json: Json = False,
) -> None:
    """How long a tenant waits for its lists while another floods the same gateway with events."""
    console, bench = _begin(), benchmark("gateway_flood", ROOT)
    size = bench.Size(2_000, connections, 10.0, seconds, noisy_connections, events_per_second)
    show(bench.main(size, console), json)


def one_machine(
    events: Annotated[list[int] | None, typer.Option(min=10_000, help="Sizes of the lake.")] = None,
    items: Items = 10_000,
    at_once: Annotated[int, typer.Option(min=1, help="Trainers side by side.")] = 1,
    json: Json = False,
) -> None:
    """What the trainer takes of CPU time and memory, by events in the lake and network."""
    console, bench = _begin(), benchmark("one_machine", ROOT)
    sizes = sorted(events or (10_000, 20_000, 40_000))
    given = [*(f"--events {count}" for count in sizes), f"--items {items} --at-once {at_once}"]
    found = bench.main(sizes, items, at_once, console)
    show({"command": f"millstream bench one-machine {' '.join(given)} --json", **found}, json)


def add_to(app: typer.Typer) -> None:
    of_workers = (end_to_end, latency, memory, reviews, scale, profiles, tenants)
    for command in (*of_workers, gateway, gateway_flood, one_machine):
        app.command()(command)
