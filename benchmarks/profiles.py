"""`millstream bench profiles`: where the recommender's CPU time goes, by py-spy.

The recommender of `bench ingest` (counting alone: events an hour old, of which no list is owed) and
of `bench end-to-end` (a list for each event) each meets a backlog while py-spy looks at it; then
that of `bench latency` gets events as they happen, in open loop, which come in small chunks.
For each `<name>.txt` (the top functions by their own share, and what they called with them) and
`<name>.stacks` (collapsed stacks with sample counts, as flamegraph.pl and speedscope read them) are
written; stacks under LEAST_SHARE of the samples are left out of the latter."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.backlog import counted, recommending, told
from benchmarks.end_to_end import OTHER, SEED, STAGES
from benchmarks.latency import maker, open_target
from benchmarks.machine import machine
from benchmarks.made_events import Load, made_events, send_at_once
from benchmarks.made_shop import make_shop, open_shop
from benchmarks.open_loop import measure
from benchmarks.sampled import Profile, program, sampling
from rich.console import Console

from millstream.domain.clock import wall_clock
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import deployed
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

TOP = 40
LARGEST = 3
LEAST_SHARE = 0.001
AGE_MS = 3_600_000
FRESHNESS_SECONDS = 60


@dataclass(frozen=True)
class Size:
    events: int
    """Of ingest."""
    items: int
    shoppers: int
    """Of end-to-end: two lists for each."""
    index_from: int
    kinds: tuple[str, ...] = ("ingest", "end-to-end", "live")
    live_rate: float = 500.0
    live_seconds: float = 20.0


async def ingest(kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size) -> Profile:
    load = Load(size.events, max(1, size.events // 5), 10_000, SEED)
    async with deployed(kafka, redis) as deployment:
        process = await deployment.start("recommender", freshness_seconds=FRESHNESS_SECONDS)
        with told(process):
            await deployment.recommender_ready()
            async with sampling(process.pid) as profile:
                events = made_events(load, wall_clock() - AGE_MS)
                await send_at_once(deployment.settings, events, lambda _: None)
                await counted(deployment, size.events)
    return profile


async def end_to_end(kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size) -> Profile:
    shop = make_shop(size.items, size.shoppers, 4, SEED, size.index_from)
    async with deployed(kafka, redis) as deployment:
        await open_shop(shop, deployment.settings)
        async with (
            recommending(deployment, shop, [0, 1]) as running,
            sampling(running.process.pid) as profile,
        ):
            await running.drain(2)
            await running.drain(3)
    return profile


async def live(kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size) -> Profile:
    shop = make_shop(size.items, size.shoppers, 4, SEED, size.index_from)
    async with deployed(kafka, redis) as deployment:
        settings = deployment.settings
        await open_shop(shop, settings)
        async with (
            recommending(deployment, shop, [0, 1]) as running,
            open_target(settings, EVENTS, RECOMMENDATIONS) as target,
            sampling(running.process.pid) as profile,
        ):
            await measure(maker(shop), target, size.live_rate, size.live_seconds, SEED)
    return profile


def write(directory: Path, name: str, profile: Profile, about: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    samples = profile.stacks.total()
    lines = [f"{name}: {about}", f"{samples:,} samples of threads on a CPU", ""]
    lines += [f"{share:7.2%}  {stage}" for stage, share in profile.by_stage(STAGES, OTHER).items()]
    lines += ["", "    own  with callees  function"]
    lines += [f"{own:7.2%}  {within:12.2%}  {frame}" for frame, own, within in profile.top(TOP)]
    (directory / f"{name}.txt").write_text("\n".join(lines) + "\n")
    kept = [(s, n) for s, n in profile.stacks.most_common() if n >= LEAST_SHARE * samples]
    stacks = "".join(f"{';'.join(stack)} {n}\n" for stack, n in kept)
    (directory / f"{name}.stacks").write_text(stacks)


async def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, directory: Path, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where py-spy may not look, or the recommender ends."""
    facts, _ = machine(), program()
    about = f"{kafka.name}, {redis.name}, {facts['cpus']} CPUs ({facts['cpu_model']})"
    found: dict[str, Any] = {}
    profiled = {"ingest": ingest, "end-to-end": end_to_end, "live": live}
    for name in size.kinds:
        console.print(f"{name} under py-spy …")
        profile = await profiled[name](kafka, redis, size)
        write(directory, name, profile, about)
        found[name] = {
            "samples": profile.stacks.total(),
            "stages": profile.by_stage(STAGES, OTHER),
            "largest": {frame: round(own, 4) for frame, own, _ in profile.top(LARGEST)},
        }
    return {"broker": kafka.name, **found, "redis": redis.name, **facts}


def main(size: Size, directory: Path, console: Console) -> dict[str, Any]:
    """On Apache Kafka, unless the environment names a cluster."""
    with brokers.kafka("apache") as kafka, brokers.redis() as redis:
        return asyncio.run(bench(kafka, redis, size, directory, console))
