"""Event ids that no longer fit beside a shopper's state, holes, and letters that come again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS, TOPIC
from tests.contract.test_functions import (
    FIELD,
    PURCHASE,
    SHOPPER,
    apply,
    call,
    counts,
    erase,
    held_value,
    purchase,
)

from millstream.domain.acceptance import WINDOW_MS
from millstream.domain.events import EventType
from millstream.domain.identity import event_digest
from millstream.local.chaos.mutants import SOURCE
from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys
from millstream.stores.ops import event_op, hole_op
from millstream.stores.redis import connect
from millstream.stores.shopper_values import MAX_INLINE, SPILLED, ids_of

SCHEDULES = 60
MANY = 3 * MAX_INLINE


# ---------------------------------------------------------------- many ids


@pytest.fixture(scope="module")
def cramped() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


async def test_schedules_are_exact_where_nearly_every_id_spills(cramped: Valkey) -> None:
    client = connect(cramped.url)
    spilled = 0
    try:
        assert SOURCE.count(f"local MAX_INLINE = {MAX_INLINE}\n") == 1
        library = SOURCE.replace(f"local MAX_INLINE = {MAX_INLINE}\n", "local MAX_INLINE = 1\n")
        await client.function_load(library, replace=True)
        for seed in range(SCHEDULES):
            schedule = Schedule(client, Keys(f"{seed}."), seed)
            await schedule.run()
            assert not await schedule.problems(), f"seed {seed}"
            spilled += len([name async for name in client.scan_iter(f"{seed}.d:*")])
            await schedule.forget()
    finally:
        await client.aclose()
    assert spilled > SCHEDULES


async def test_what_spilled_is_still_a_duplicate_and_leaves_when_the_window_passes(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    first = [purchase(n, f"e{n}", "a", at_ms=NOON_MS + n) for n in range(MANY)]
    reply = await apply(store, call(0, MANY, *first))
    assert reply.verdicts == "a" * MANY
    value = await held_value(redis, keys)
    assert value[0] & SPILLED
    older = await redis.zcard(keys.event_ids(0, *SHOPPER))
    assert older + len(ids_of(value)) == MANY
    again = [purchase(MANY + n, f"e{n}", "a", at_ms=NOON_MS + n) for n in range(MANY)]
    assert (await apply(store, call(MANY, 2 * MANY, *again))).verdicts == "d" * MANY
    later = NOON_MS + WINDOW_MS + 60_000
    end = 2 * MANY
    reply = await apply(
        store,
        call(end, end + 1, clock_ms=later),
        call(end + 1, end + 2, purchase(end + 1, "new", "a", at_ms=later), clock_ms=later),
    )
    assert counts(reply.states[0]) == {EventType.PURCHASE: MANY + 1}
    value = await held_value(redis, keys)
    assert list(ids_of(value)) == [event_digest("new")]
    assert not value[0] & SPILLED
    assert not await redis.exists(keys.event_ids(0, *SHOPPER))


async def test_an_erase_forgets_what_spilled(redis: Redis, keys: Keys, store: FeatureStore) -> None:
    first = [purchase(n, f"e{n}", "a", at_ms=NOON_MS + n) for n in range(MANY)]
    late = NOON_MS + 60_000
    await apply(store, call(0, MANY, *first), call(MANY, MANY + 1, erase(MANY, "x", late)))
    assert not await redis.exists(keys.event_ids(0, *SHOPPER))
    reply = await apply(
        store, call(MANY + 1, MANY + 2, purchase(MANY + 1, "e1", "a", at_ms=late + 1_000))
    )
    assert reply.verdicts == "a", "the same id after the erase is another event"


# ---------------------------------------------------------------- holes


async def test_holes_stand_in_the_ledger_once(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    ranges = call(0, 20, hole_op(3, 5), purchase(8, "e1", "a"), hole_op(9, 11))
    reply = await apply(store, ranges, ranges)
    assert reply.fence == 20
    assert (await store.ledger())["hol"] == 16
    assert await redis.hget(keys.fences(0), f"hol:{FIELD}") == b"16"


# ---------------------------------------------------------------- replayed letters


async def test_a_replayed_letter_counts_once_however_often_it_comes(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    letter = (NOON_MS - 9 * WINDOW_MS, f"{TOPIC}:0:3")
    reply = await apply(
        store,
        call(0, 2, purchase(0, "e1", "a", letter=letter), purchase(1, "e2", "a", letter=letter)),
    )
    assert reply.verdicts == "ad"
    far = NOON_MS + 9 * WINDOW_MS  # its id has left the window; its place has not
    reply = await apply(
        store,
        call(2, 3, clock_ms=far),
        call(3, 4, purchase(3, "e1", "a", letter=letter, at_ms=far), clock_ms=far),
    )
    assert reply.verdicts == "d"
    assert await redis.smembers(keys.replayed(0)) == {f"{TOPIC}:0:3".encode()}


async def test_a_letter_whose_event_was_counted_meanwhile_is_a_duplicate(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    letter = (NOON_MS, f"{TOPIC}:0:3")
    reply = await apply(
        store, call(0, 2, purchase(0, "e1", "a"), purchase(1, "e1", "a", letter=letter))
    )
    assert reply.verdicts == "ad"
    assert not await redis.exists(keys.replayed(0))


async def test_a_letter_from_before_the_erasure_stays_out(store: FeatureStore) -> None:
    letter = (NOON_MS - 5, f"{TOPIC}:0:3")
    reply = await apply(
        store,
        call(
            0,
            2,
            erase(0, "x", NOON_MS),
            purchase(1, "e1", "a", at_ms=NOON_MS + 9, letter=letter),
        ),
    )
    assert reply.verdicts == "ae"


async def test_of_an_erase_amid_many_events_those_after_it_stay(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    def seen(start: int, at_ms: int, first_id: int = 0) -> list[bytes]:
        ids = range(first_id, first_id + MANY)
        return [purchase(start + n, f"e{e}", "a", at_ms=at_ms + n) for n, e in enumerate(ids)]

    late = NOON_MS + 60_000
    ops = [*seen(0, NOON_MS), erase(MANY, "x", late), *seen(MANY + 1, late + 1, MANY)]
    end = len(ops)
    await apply(store, call(0, MANY, *ops[:MANY]))  # all of them stand in the ZSET and the value
    reply = await apply(store, call(0, end, *ops))
    assert reply.verdicts == "-" * MANY + "a" * (MANY + 1)
    again = [*seen(end, late + 1, MANY), *seen(end + MANY, late + 500)]
    reply = await apply(store, call(end, end + 2 * MANY, *again))
    assert reply.verdicts == "d" * MANY + "a" * MANY, "ids of before the erase are forgotten"


async def test_a_call_may_hold_thousands_of_shoppers(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    """More values than Redis' Lua takes on its stack at once."""
    many = 5_000
    shoppers = [("default", f"u{n}") for n in range(many)]
    ops = [
        event_op((n, NOON_MS), PURCHASE, (n, 0), (NOON_MS, event_digest(f"e{n}")), [(1, b"a")])
        for n in range(many)
    ]
    whole = replace(call(0, many), shoppers=shoppers, ops=b"".join(ops))
    (reply,) = await store.apply([whole])
    assert reply.verdicts == "a" * many
    assert all(counts(state) == {EventType.PURCHASE: 1} for state in reply.states)
