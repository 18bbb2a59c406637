"""On a Redis Cluster: exact while slots move and masters die, and no question on the way."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial

import pytest
from tests.builders import NOON_MS, TOPIC, arrival, decoded, event
from tests.contract.cluster_load import (
    KEYS_A_STEP,
    Load,
    exact_while_every_slot_moves,
    run_exact,
    stat,
    until,
)
from tests.redis_cluster import (
    Cluster,
    Move,
    client_of,
)

from millstream.domain.errors import Halt
from millstream.domain.events import TYPE_INDEX, EventType
from millstream.domain.identity import event_digest, slot_of
from millstream.local.chaos.faulty_store import SLOTS
from millstream.local.chaos.schedules import Schedule
from millstream.ranking.shop import Shopper
from millstream.recommender.record import Recorder
from millstream.stores.calls import RedisRefused, replies
from millstream.stores.cluster import ClusterRedis, masters
from millstream.stores.cluster.nodes import raw
from millstream.stores.feature_store import FeatureStore, SlotCall, Status
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.ops import event_op
from millstream.stores.redis import load_functions, require_noeviction
from millstream.stores.server import functions_differ, server_version
from millstream.stores.visits import Visits

SCHEDULES = 40
PLANTED = "planted-shopper"
SHA = "a" * 64
SHOPPER = ("default", "ann")
MANY = 40
"""Events of one shopper: more than the ids that are kept in one value with the counts."""


@pytest.fixture
async def redis(redis_cluster: Cluster) -> AsyncIterator[ClusterRedis]:
    client = await client_of(redis_cluster)
    await load_functions(client)
    yield client
    await client.aclose()


# ---------------------------------------------------------------- at rest


async def test_every_schedule_of_faults_is_exact_on_three_masters(
    redis: ClusterRedis, redis_cluster: Cluster, prefix: str
) -> None:
    """And in all of it no node is asked where the keys of a command stand, or for the map."""
    before = await stat(redis_cluster, "commandstats")
    for seed in range(SCHEDULES):
        await run_exact(Schedule(redis, Keys(f"{prefix}{seed}."), seed))
    after = await stat(redis_cluster, "commandstats")
    made = {name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)}
    assert made["fcall"] > 10 * SCHEDULES
    assert not [name for name in made if name.startswith(("command", "cluster"))], made
    held = [await master.dbsize() for master in masters(redis)]
    assert min(held) > SCHEDULES, f"not every master has its part: {held}"


async def test_a_users_link_leads_to_another_master(redis: ClusterRedis, prefix: str) -> None:
    keys = Keys(prefix)
    store, numbers = FeatureStore(redis, keys, SLOTS, 1), ItemNumbers(redis, keys)
    recorder = Recorder(store, numbers, SLOTS, lambda: 0)
    recorder.resume({(TOPIC, 0): [0] * SLOTS}, "0")
    said = [event(f"v{n}", None, f"i{n}", anonymous_id=f"v{n}") for n in range(8)]
    said += [event(f"u{n}", f"u{n}", "own", anonymous_id=f"v{n}") for n in range(8)]
    places = {what.shopper: slot_of("default", what.shopper, SLOTS) for what in said}
    assert {places[f"u{n}"] == places[f"~v{n}"] for n in range(8)} == {True, False}
    log = decoded([arrival(what, offset) for offset, what in enumerate(said)])
    recorded = await recorder.record([await recorder.prepare(log)])
    visits = await Visits(store, ItemNumbers(redis, keys)).of(recorded.states)
    for name, state in recorded.states.items():
        shopper = Shopper.from_state(*name, state, NOON_MS, visits.get(name, ()))
        theirs = {"own"} if name[1].startswith("u") else set()
        assert {touch.item_id for touch in shopper.recent} == {f"i{name[1][-1]}", *theirs}


async def test_replies_come_in_the_order_of_the_commands(redis: ClusterRedis, prefix: str) -> None:
    names = [f"{prefix}{n}" for n in range(100)]
    pipeline = redis.pipeline(transaction=False)
    for n, name in enumerate(names):
        pipeline.set(name, n)
        pipeline.get(name)
    assert await replies(pipeline) == [x for n in range(100) for x in (True, b"%d" % n)]
    assert {name async for name in redis.scan_iter(f"{prefix}*")} == {n.encode() for n in names}


async def test_what_a_node_refuses_is_told_without_an_id(redis: ClusterRedis, prefix: str) -> None:
    await redis.set(f"{prefix}{PLANTED}", PLANTED)
    pipeline = redis.pipeline(transaction=False)
    pipeline.get(f"{prefix}other")
    pipeline.hget(f"{prefix}{PLANTED}", PLANTED)
    with pytest.raises(RedisRefused, match="WRONGTYPE") as caught:
        await replies(pipeline)
    assert PLANTED not in "".join(traceback.format_exception(caught.value))


async def test_one_master_that_evicts_is_one_too_many(redis: ClusterRedis) -> None:
    await require_noeviction(redis)
    last = masters(redis)[-1]
    await last.config_set("maxmemory-policy", "allkeys-lru")
    try:
        with pytest.raises(Halt, match="allkeys-lru"):
            await require_noeviction(redis)
    finally:
        await last.config_set("maxmemory-policy", "noeviction")


async def test_one_master_without_the_functions_is_found(redis: ClusterRedis) -> None:
    assert (await server_version(redis)).endswith("cluster of 3 masters")
    assert await functions_differ(redis) is None
    await masters(redis)[-1].function_flush()
    assert await functions_differ(redis) == "not loaded on 1 of 3 masters"
    await load_functions(redis)
    assert await functions_differ(redis) is None


async def test_a_slot_that_nobody_serves_is_waited_for(
    redis: ClusterRedis, redis_cluster: Cluster, prefix: str
) -> None:
    move = Move(redis, prefix)
    owner = redis.nodes.owner(move.slot)
    for node in masters(redis):
        await raw(node, "CLUSTER", "DELSLOTS", move.slot)
    newcomer = await client_of(redis_cluster)  # its map has a hole
    pipeline = newcomer.pipeline(transaction=False)
    pipeline.set(prefix, 1)
    setting = asyncio.create_task(replies(pipeline))
    before = (await stat(redis_cluster, "commandstats")).get("cluster|slots", 0)

    async def asked_again() -> bool:
        return (await stat(redis_cluster, "commandstats"))["cluster|slots"] > before

    await until(asked_again)
    assert not setting.done()
    told = await raw(owner, "CLUSTER", "MYID")
    for node in masters(redis):
        await raw(node, "CLUSTER", "SETSLOT", move.slot, "NODE", told)
    assert await setting == [True]
    await newcomer.aclose()
    await asyncio.to_thread(redis_cluster.await_ok)


# ---------------------------------------------------------------- slots that move


async def test_counts_stay_exact_while_every_slot_moves(
    redis: ClusterRedis, redis_cluster: Cluster, prefix: str
) -> None:
    await exact_while_every_slot_moves(redis, redis_cluster, prefix)


async def test_counts_stay_exact_while_valkey_moves_the_slots_itself(
    redis: ClusterRedis, redis_cluster: Cluster, prefix: str
) -> None:
    """All keys of a slot at once: the load meets nothing but MOVED."""
    before = await stat(redis_cluster, "errorstats")
    load = Load(redis, prefix)
    async with aclosing(await client_of(redis_cluster)) as operator:
        loading = asyncio.create_task(load.run())
        for slot in range(SLOTS):
            await until(partial(load.checked_more, load.checked))
            await Move(operator, Keys(prefix).fences(slot)).at_once()
        await until(partial(load.checked_more, load.checked))
        load.end()
        await loading
    after = await stat(redis_cluster, "errorstats")
    assert after["MOVED"] - before.get("MOVED", 0) >= SLOTS
    assert [after.get(code, 0) - before.get(code, 0) for code in ("ASK", "TRYAGAIN")] == [0, 0]


async def test_a_call_is_made_whole_or_not_at_all_while_its_slot_moves(
    redis: ClusterRedis, redis_cluster: Cluster, prefix: str
) -> None:
    """On the source of a move a function that removes a key and writes it again would break off
    in the middle: Redis takes a key that is not there for one that went ahead."""
    keys = Keys(prefix)
    store = FeatureStore(redis, keys, slots=1, partitions=1)
    await store.apply([_call(0, [(EventType.PURCHASE, f"e{n}") for n in range(MANY)])])
    await redis.sadd(keys.owed(0), "x")
    await redis.sadd(keys.replayed(0), "x")
    await redis.hset(keys.erased(0), "default:nobody", "1")
    before = await _dumped(redis, keys)
    assert [bool(value) for value in before.values()] == [True] * len(before), "all keys are there"

    since = await stat(redis_cluster, "errorstats")
    again = [(EventType.ERASE, "gone")] + [(EventType.PURCHASE, f"f{n}") for n in range(MANY)]
    async with aclosing(await client_of(redis_cluster)) as operator:
        move = Move(operator, keys.fences(0))
        await move.begin()
        applying = asyncio.create_task(store.apply([_call(MANY, again)]))

        async def refused() -> bool:
            assert not applying.done(), f"it was made at the source: {applying}"
            now = await stat(redis_cluster, "errorstats")
            return now.get("TRYAGAIN", 0) > since.get("TRYAGAIN", 0)

        await until(refused)
        assert await _dumped(redis, keys) == before, "the call was made in part"
        while await move.some_keys(KEYS_A_STEP):
            pass
        await move.end()
        (reply,) = await applying
    assert (reply.status, reply.verdicts) == (Status.OK, "a" * (MANY + 1))


def _call(start: int, events: Sequence[tuple[EventType, str]]) -> SlotCall:
    """A range of so many events of one shopper, a millisecond apart."""
    to, ops = start + len(events), []
    for offset, (kind, event_id) in enumerate(events, start):
        at_ms = NOON_MS + offset
        items = [(1, b"i")] if kind is EventType.PURCHASE else []
        about = (at_ms, event_digest(event_id))
        ops.append(event_op((offset, at_ms), TYPE_INDEX[kind], (0, 0), about, items))
    return SlotCall(
        slot=0,
        source=(TOPIC, 0),
        start=start,
        to=to,
        clock_ms=NOON_MS + to,
        witness=f"{to - 1}:0",
        tenants=["default"],
        shoppers=[SHOPPER],
        ops=b"".join(ops),
    )


async def _dumped(redis: ClusterRedis, keys: Keys) -> dict[str, bytes | None]:
    """All that the function may write."""
    names = [keys.fences(0), keys.clocks(0), keys.erased(0), keys.dirty(0), keys.owed(0)]
    names += [keys.replayed(0), keys.item_partials(0, "default")]
    names += [keys.shopper(0, *SHOPPER), keys.event_ids(0, *SHOPPER)]
    return {name: await redis.dump(name) for name in names}


async def test_a_promotion_finds_the_node_that_the_slot_moved_to(
    redis: ClusterRedis, redis_cluster: Cluster, prefix: str
) -> None:
    pointer = RedisModelPointer(redis, Keys(prefix))
    async with aclosing(await client_of(redis_cluster)) as operator:
        for model in ("a", "b", "c"):
            assert await pointer.promote("default", model, 1, SHA, None)
            move = Move(operator, Keys(prefix).model("default", model))
            await move.begin()
            while await move.some_keys(KEYS_A_STEP):
                pass
            promoting = asyncio.create_task(pointer.promote("default", model, 2, SHA, 1))
            assert await pointer.read("default", model) == (1, SHA)
            await move.end()
            assert await promoting, "the transaction did not follow the slot"
            assert not await pointer.promote("default", model, 2, "b" * 64, 1)
            assert await pointer.read("default", model) == (2, SHA)
            await operator.nodes.read_map()
