"""Models swapped every half second under load, bad ones among them: each event gets its list, each
list one model, and the models a shopper meets only get newer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis
from tests.builders import event
from tests.flow.swapping import SHARED, SwappingTrainer, flip, lose, truncate

from millstream.domain.clock import wall_clock
from millstream.domain.identity import record_key
from millstream.domain.lists import RecommendationList, Source
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.stores.redis import connect
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS

PATIENCE_S = 60.0
LIST_S = 20.0
SHOPPERS = 12
SWAPS, SWAP_SECONDS = 40, 0.5
LIST = msgspec.json.Decoder(RecommendationList)


@dataclass
class Load:
    """Shoppers who wait for the list of an event before they send the next: no event shares its
    list with another, so each must have one of its own."""

    deployment: Deployment
    producer: AIOKafkaProducer
    lists: dict[str, list[RecommendationList]] = field(default_factory=dict)
    slowest_s: float = 0.0
    _came: dict[tuple[int, int], asyncio.Future[RecommendationList]] = field(default_factory=dict)

    async def shop(self, user: str, enough: asyncio.Event) -> None:
        visits = 0
        while not enough.is_set():
            what = event(f"{user}-{visits}", user, f"i{visits % SHARED}", at_ms=wall_clock())
            topic, key = self.deployment.settings.topic(EVENTS), record_key("default", user)
            began = time.monotonic()
            at = await self.producer.send_and_wait(topic, msgspec.json.encode(what), key)
            try:
                made = await asyncio.wait_for(self._list_of(at.partition, at.offset), LIST_S)
            except TimeoutError:
                pytest.fail(f"no list for event {visits} of {user} within {LIST_S:g} s")
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            self.lists.setdefault(user, []).append(made)
            visits += 1

    def _list_of(self, partition: int, offset: int) -> asyncio.Future[RecommendationList]:
        loop = asyncio.get_running_loop()
        return self._came.setdefault((partition, offset), loop.create_future())

    async def listen(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            made = LIST.decode(record.value)
            waiting = self._list_of(made.origin.partition, made.origin.offset)
            if not waiting.done():
                waiting.set_result(made)


@dataclass
class World:
    load: Load
    trainer: SwappingTrainer
    worker: ServiceProcess


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    yield client
    await client.aclose()


@pytest.fixture
async def world(tansu: Tansu, valkey: Valkey, redis: Redis) -> AsyncIterator[World]:
    """A recommender at work that serves version 1."""
    broker = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    servers = tansu.bootstrap_servers
    producer = AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=False)
    async with (
        deployed(broker, RedisEndpoint(valkey.url, valkey.name)) as deployment,
        producer,
        AIOKafkaConsumer(
            deployment.settings.topic(RECOMMENDATIONS),
            bootstrap_servers=servers,
            auto_offset_reset="earliest",
        ) as consumer,
    ):
        trainer = SwappingTrainer(deployment.settings, redis, producer)
        await trainer.swap()
        worker = await deployment.start("recommender")
        await deployment.recommender_ready()
        load = Load(deployment, producer)
        async with beside(load.listen(consumer)):
            yield World(load, trainer, worker)


@asynccontextmanager
async def beside(run: object) -> AsyncIterator[None]:
    task = asyncio.ensure_future(run)  # type: ignore[call-overload]
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def version_of(made: RecommendationList) -> int:
    name, _, number = made.model_version.rpartition("-v")
    assert name == "embedding", f"a list of no model: {made.model_version}"
    return int(number)


async def swap_many(trainer: SwappingTrainer) -> set[int]:
    """SWAPS versions, one every SWAP_SECONDS; returns those that may serve. Two of three are good;
    after each bad one the announcement of an older version comes once more."""
    bad: list[Callable[[], object]] = [
        lambda: trainer.swap(flip),
        trainer.swap_unsigned,
        lambda: trainer.swap(truncate),
        trainer.swap_older,
        lambda: trainer.swap(lose),
    ]
    good = {1}
    for number in range(SWAPS):
        began = time.monotonic()
        if number % 3 == 1:
            await bad[number // 3 % len(bad)]()  # type: ignore[misc]
            await trainer.repeat(trainer.announced[0])
        else:
            good.add(await trainer.swap())
        await asyncio.sleep(max(0.0, SWAP_SECONDS - (time.monotonic() - began)))
    return good


async def test_swaps_under_load_cost_no_list_and_bad_versions_never_serve(world: World) -> None:
    load, trainer = world.load, world.trainer
    enough = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S + SWAPS * 4 * SWAP_SECONDS), asyncio.TaskGroup() as group:
        for number in range(SHOPPERS):
            group.create_task(load.shop(f"u{number}", enough))
        good = await swap_many(trainer)
        newest = max(good)
        for number in range(SHOPPERS):
            await meets(load, f"u{number}", newest)
        enough.set()
    for user, versions in met(load).items():
        assert versions == sorted(versions), f"{user} met an older model after a newer one"
        assert set(versions) <= good, f"{user} met a version that must not serve"
    served = {version for versions in met(load).values() for version in versions}
    assert len(served) >= len(good) / 2, "most versions came into service before the next one"
    assert_each_list_is_of_one_model(load)
    lists = sum(map(len, load.lists.values()))
    print(  # noqa: T201
        f"{SWAPS} swaps, {len(good)} good, {len(served)} seen, {lists} lists, "
        f"slowest {load.slowest_s * 1000:.0f} ms"
    )


def met(load: Load) -> dict[str, list[int]]:
    """By shopper, the versions of the lists in the order of the events."""
    return {user: [version_of(made) for made in lists] for user, lists in load.lists.items()}


async def meets(load: Load, user: str, version: int) -> None:
    """Returns when the shopper's newest list is of this version."""
    while met(load).get(user, [0])[-1] != version:
        load.deployment.raise_dead()
        await asyncio.sleep(0.02)


def assert_each_list_is_of_one_model(load: Load) -> None:
    for lists in load.lists.values():
        for made in lists:
            own = {item.item_id for item in made.items if item.item_id.startswith("v")}
            mark = f"v{version_of(made)}-"
            assert any(item.source is Source.EMBEDDING for item in made.items), "a list of no model"
            assert own, "none of the items that this version alone knows"
            assert all(item.startswith(mark) for item in own), f"{mark} mixed with another model"


async def test_a_stale_trainer_loses_and_what_it_announces_changes_nothing(world: World) -> None:
    """The pointer decides, by compare-and-set on a number that grows, not who speaks last."""
    load, trainer = world.load, world.trainer
    newest = await trainer.swap()
    stale = trainer.announced[0]
    for expected in (stale.version, newest, None):
        moved = await trainer.pointer.promote(
            stale.tenant, stale.model, stale.version, stale.manifest_sha256, expected
        )
        assert not moved
    await trainer.repeat(stale)
    enough = asyncio.Event()
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        group.create_task(load.shop("ann", enough))
        await meets(load, "ann", newest)
        await trainer.repeat(stale)
        seen = len(load.lists["ann"])
        after = await trainer.swap()  # heard after the repeated one: the log keeps the order
        await meets(load, "ann", after)
        enough.set()
    assert set(met(load)["ann"][seen:]) <= {newest, after}
