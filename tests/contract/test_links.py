"""Links to the anonymous ids that users signed in from, written by the call that counts."""

from __future__ import annotations

import random

import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS, event
from tests.contract.test_functions import SHOPPER, apply, call, erase, everything, held_value

from millstream.domain.events import TYPE_INDEX, Event, EventType
from millstream.domain.identity import event_digest
from millstream.features.replayed import ReplayedShopper
from millstream.features.sign_ins import SIGN_INS, SignIn
from millstream.features.state import ShopperState
from millstream.stores.calls import RedisRefused
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys
from millstream.stores.ops import Beside, event_op
from millstream.stores.shopper_values import fields_of

VISITORS = (None, "a", "ab", "pseudonym-of-22-chars.", "\u2764" * 128, "\U0001f600" * 128, "~")


def op(offset: int, what: Event) -> bytes:
    event = (what.time_ms, event_digest(what.event_id))
    beside = Beside(visitor=what.signed_in_from)
    return event_op((offset, NOON_MS), TYPE_INDEX[what.type], (0, 0), event, [(1, b"a")], beside)


def signed_in(offset: int, visitor: str | None, event_id: str = "", at_ms: int = NOON_MS) -> bytes:
    return op(offset, event(event_id or f"e{offset}", "ann", anonymous_id=visitor, at_ms=at_ms))


def links(packed: bytes) -> tuple[SignIn, ...]:
    return ShopperState(packed).read(SIGN_INS, 0)


async def test_redis_and_memory_keep_the_same_links(store: FeatureStore) -> None:
    rng, replayed, kinds = random.Random(7), ReplayedShopper(), (*EventType,)
    for offset in range(0, 200, 4):
        said = [
            event(
                f"e{offset + n}",
                "ann",
                "a",
                kind=rng.choice(kinds[:-1]),
                anonymous_id=rng.choice(VISITORS),
                at_ms=NOON_MS + rng.randrange(-9, 9) * 1_000,
            )
            for n in range(4)
        ]
        ops = [op(offset + n, what) for n, what in enumerate(said)]
        reply = await apply(store, call(offset, offset + 4, *ops))
        for what in said:
            replayed.apply(what)
        assert len(reply.states[0]) == len(replayed.packed())
        assert links(reply.states[0]) == links(replayed.packed())


async def test_a_repeated_call_and_a_second_copy_change_no_link(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    first = call(0, 2, signed_in(0, "a"), signed_in(1, "b"))
    await apply(store, first)
    before = await everything(redis, keys)
    stale = await apply(store, first)
    assert await everything(redis, keys) == before
    copied = await apply(store, call(2, 3, signed_in(2, "c", event_id="e0")))
    assert copied.verdicts == "d"
    held = (SignIn("b", NOON_MS), SignIn("a", NOON_MS))
    assert links(stale.states[0]) == links(copied.states[0]) == held


async def test_an_erase_takes_the_links_and_what_is_older_makes_none(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    await apply(store, call(0, 1, signed_in(0, "a")))
    assert b"a" in fields_of(await held_value(redis, keys))
    erased = call(1, 3, erase(1, "x", NOON_MS + 9), signed_in(2, "b"))
    assert (await apply(store, erased)).states == [b""]
    assert not await redis.exists(keys.shopper(0, *SHOPPER))
    later = await apply(store, call(3, 4, signed_in(3, None, at_ms=NOON_MS + 60_000)))
    assert later.verdicts == "e", "its log time is not later"


async def test_who_has_no_link_has_the_value_of_before(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    await apply(store, call(0, 1, signed_in(0, None)))
    bare = len(await held_value(redis, keys))
    await apply(store, call(1, 2, signed_in(1, "0123456789012345678901")))
    one_id = 20
    assert len(await held_value(redis, keys)) - bare == one_id + 1 + 32


async def test_an_id_that_no_event_can_have_is_refused_whole(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    await apply(store, call(0, 1, signed_in(0, "a")))
    before = await everything(redis, keys)
    with pytest.raises(RedisRefused, match="BADARG an anonymous id"):
        await apply(store, call(1, 3, signed_in(1, "b"), signed_in(2, "c" * 513)))
    assert await everything(redis, keys) == before
