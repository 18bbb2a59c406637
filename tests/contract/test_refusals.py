"""What the server refuses: made again while it may pass, and told without a shopper's id."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS, TOPIC
from tests.near import add_near, near_of

from millstream.domain.errors import Halt
from millstream.domain.events import TYPE_INDEX, EventType
from millstream.domain.identity import event_digest
from millstream.local.valkey import Valkey
from millstream.stores import calls
from millstream.stores.affinities import AffinityStore
from millstream.stores.calls import RedisRefused, replies
from millstream.stores.feature_store import FeatureStore, SlotCall, Status
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.ops import event_op
from millstream.stores.redis import connect, load_functions

KEYS = Keys("refusals.")
PLANTED = "planted-shopper"
VIEW = TYPE_INDEX[EventType.VIEW_ITEM]


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    """Of its own: its memory is taken away."""
    with Valkey() as started:
        yield started


@pytest.fixture
async def redis(server: Valkey) -> AsyncIterator[Redis]:
    client = connect(server.url)
    await client.flushall()
    await load_functions(client)
    yield client
    await client.config_set("maxmemory", "0")
    await client.aclose()


@pytest.fixture
def store(redis: Redis) -> FeatureStore:
    return FeatureStore(redis, KEYS, slots=1, partitions=1)


def call(start: int) -> SlotCall:
    return SlotCall(
        slot=0,
        source=(TOPIC, 0),
        start=start,
        to=start + 1,
        clock_ms=NOON_MS,
        witness=f"{start}:0",
        tenants=["default"],
        shoppers=[("default", PLANTED)],
        ops=event_op(
            (start, NOON_MS),
            VIEW,
            (0, 0),
            (NOON_MS, event_digest(f"e{start}")),
            [(1, PLANTED.encode())],
        ),
    )


@pytest.mark.parametrize("what", ["apply", "neighbours", "popular", "tenants", "lease"])
async def test_a_full_server_ends_in_a_halt_without_an_id(
    redis: Redis, store: FeatureStore, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(calls, "PATIENCE_S", 0.5)
    numbers = ItemNumbers(redis, KEYS)
    await numbers.learn("default", [PLANTED])
    affinities = AffinityStore(redis, KEYS, 1, numbers)
    near = near_of({PLANTED: {PLANTED: 1.0}}, numbers)
    await redis.config_set("maxmemory", "1")
    making: dict[str, Callable[[], Awaitable[object]]] = {
        "apply": lambda: store.apply([call(0)]),
        "neighbours": lambda: add_near(affinities, "default", near),
        "popular": lambda: affinities.add_popular("default", {PLANTED: 1.0}),
        "tenants": lambda: affinities.note_tenants([PLANTED]),
        "lease": lambda: ItemTotals(redis, KEYS, slots=1).lease(PLANTED, 5),
    }
    with pytest.raises(Halt, match=r"took no call for .*OOM") as caught:
        await making[what]()
    told = "".join(traceback.format_exception(caught.value))
    assert PLANTED not in told


async def test_a_call_goes_through_when_there_is_room_again(
    redis: Redis, store: FeatureStore
) -> None:
    await redis.config_set("maxmemory", "1")
    applying = asyncio.create_task(store.apply([call(0)]))
    refused = 0
    async with asyncio.timeout(10):
        while not refused:
            refused = int((await redis.info("errorstats")).get("errorstat_OOM", {}).get("count", 0))
    await redis.config_set("maxmemory", "0")
    (reply,) = await applying
    assert (reply.status, reply.verdicts) == (Status.OK, "a")


async def test_only_what_was_refused_is_made_again(redis: Redis) -> None:
    """A full server still deletes; the delete made twice would answer 0."""
    await redis.set("n", 1)
    await redis.config_set("maxmemory", "1")
    pipeline = redis.pipeline(transaction=False)
    pipeline.delete("n")
    pipeline.set("other", 1)
    making = asyncio.create_task(replies(pipeline))
    async with asyncio.timeout(10):
        while await redis.exists("n"):
            pass
    await redis.config_set("maxmemory", "0")
    assert await making == [1, True]


async def test_a_final_refusal_is_told_at_once_and_without_the_command(redis: Redis) -> None:
    await redis.set(PLANTED, "text")
    pipeline = redis.pipeline(transaction=False)
    pipeline.get("nothing")
    pipeline.hget(PLANTED, "x")
    with pytest.raises(RedisRefused, match="WRONGTYPE") as caught:
        await replies(pipeline)
    assert PLANTED not in "".join(traceback.format_exception(caught.value))


async def test_an_unknown_command_is_told_without_its_arguments(redis: Redis) -> None:
    pipeline = redis.pipeline(transaction=False)
    pipeline.execute_command("NOSUCH", PLANTED)
    with pytest.raises(RedisRefused, match="unknown command") as caught:
        await replies(pipeline)
    assert PLANTED not in "".join(traceback.format_exception(caught.value))
