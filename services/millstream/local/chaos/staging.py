"""Sets up what an episode plays on, and takes it away again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from millstream.domain.clock import wall_clock
from millstream.local.chaos.load import Load
from millstream.local.chaos.plan import Plan, Servers
from millstream.local.chaos.proxy import Proxy
from millstream.local.chaos.reviews.staging import review_parts
from millstream.local.chaos.scene import (
    PARTITIONS,
    SLOTS,
    Scene,
    operator_settings,
    worker_variables,
)
from millstream.local.chaos.traffic import Mix, Shop, Traffic
from millstream.local.chaos.watch import Watch, Where
from millstream.local.chaos.workers import Crew
from millstream.settings import ConnectionSettings
from millstream.setup import set_up
from millstream.streaming.topics import EVENTS


@asynccontextmanager
async def staged(plan: Plan, servers: Servers) -> AsyncIterator[Scene]:
    """The deployment, its load flowing and its workers started; gone on exit."""
    scene = await _scene(plan, servers)
    if plan.tier != "reviews":  # of which there are more verdicts, or fewer
        scene.load.counted = scene.watch.counted
    await scene.load_library()
    async with _proxied(scene.way_to_kafka, scene.valkey.proxy), _running(scene):
        yield scene


async def _scene(plan: Plan, servers: Servers) -> Scene:
    """With topics, functions, slots and keys; nothing runs yet."""
    prefix = f"c{plan.seed}."
    kafka, valkey = servers.kafka, servers.valkey
    way = kafka.proxies[plan.lane]
    settings = operator_settings(kafka, valkey, servers.home, prefix)
    await set_up(settings, slots=SLOTS, replay=False, partitions=PARTITIONS)
    rng = random.Random(plan.seed)  # noqa: S311  a seed, not a secret
    variables = worker_variables(way, valkey, servers.home, prefix)
    if plan.without == "witness":
        variables["MILLSTREAM_CHAOS_WITHOUT"] = plan.without
    parts = review_parts if plan.tier == "reviews" else _parts
    crew, load, where = parts(plan, servers, settings, variables)
    return Scene(
        tier=plan.tier,
        kafka=kafka,
        valkey=valkey,
        way_to_kafka=way,
        settings=settings,
        library=plan.library,
        crew=crew,
        load=load,
        watch=Watch(where, rng),
        where=where,
        rng=rng,
    )


def _parts(
    plan: Plan, servers: Servers, settings: ConnectionSettings, variables: Mapping[str, str]
) -> tuple[Crew, Load, Where]:
    """Recommenders, and shoppers who look and buy."""
    topic = settings.topic(EVENTS)
    traffic = Traffic(plan.seed, Shop(PARTITIONS), Mix(), wall_clock)
    return (
        Crew(servers.forks if plan.tier == "bare" else None, variables, PARTITIONS),
        Load(servers.kafka.bootstrap_servers, topic, traffic, plan.rate),
        Where(servers.valkey.port, settings.redis_prefix, topic, SLOTS),
    )


@asynccontextmanager
async def _proxied(*proxies: Proxy) -> AsyncIterator[None]:
    for proxy in proxies:
        await proxy.open()
    try:
        yield
    finally:
        for proxy in proxies:
            await proxy.close()


@asynccontextmanager
async def _running(scene: Scene) -> AsyncIterator[None]:
    """What fails beside the body ends it: nothing would be shown by going on."""
    try:
        async with asyncio.TaskGroup() as beside:
            tasks = [beside.create_task(w) for w in (scene.load.run(), scene.watch.run())]
            await scene.crew.start()
            tasks.append(beside.create_task(scene.crew.supervise()))
            yield
            for task in tasks:
                task.cancel()
    finally:
        await scene.crew.close()
        await scene.load.finish()
