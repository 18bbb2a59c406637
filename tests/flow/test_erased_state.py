"""Marks and what is left of the erased in a real Redis: all that is older goes, the newer stays."""

from __future__ import annotations

from collections.abc import AsyncIterator
from struct import Struct

import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS

from millstream.domain.identity import slot_of
from millstream.local.valkey import Valkey
from millstream.stores.erasures import ErasedState
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect, load_functions

ANN, BOB = ("shop", "ann"), ("shop", "bob")
MARKS = {ANN: NOON_MS}
LIST_HEAD = Struct(">QIQ")
ONE_ID = b"\x01" + b"d" * 16 + b"\x00\x00\x00\x01"
COUNTED = ONE_ID + b"what was counted"


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    await load_functions(client)
    yield client
    await client.aclose()


@pytest.fixture
def keys(prefix: str) -> Keys:
    return Keys(prefix)


@pytest.fixture
def state(redis: Redis, keys: Keys) -> ErasedState:
    return ErasedState(redis, keys, DEFAULT_SLOTS)


def names(keys: Keys, name: tuple[str, str]) -> tuple[str, str, str]:
    slot = slot_of(*name, DEFAULT_SLOTS)
    return keys.shopper(slot, *name), keys.event_ids(slot, *name), keys.served_list(slot, *name)


async def fill(redis: Redis, keys: Keys, name: tuple[str, str], value: bytes, list_ms: int) -> None:
    state, ids, served = names(keys, name)
    await redis.set(state, value)
    await redis.zadd(ids, {b"x" * 16: list_ms})
    await redis.set(served, LIST_HEAD.pack(list_ms, 0, 1) + b"\x00")


async def standing(redis: Redis, keys: Keys, name: tuple[str, str]) -> list[bool]:
    return [bool(await redis.exists(key)) for key in names(keys, name)]


async def test_a_mark_takes_all_that_is_older_and_only_the_shopper_s(
    redis: Redis, keys: Keys, state: ErasedState
) -> None:
    await fill(redis, keys, ANN, COUNTED, NOON_MS - 1)
    await fill(redis, keys, BOB, COUNTED, NOON_MS - 1)
    assert await state.remaining(MARKS) == 3
    await state.set_marks(MARKS)
    assert await state.remaining(MARKS) == 0
    assert await standing(redis, keys, ANN) == [False] * 3
    assert await standing(redis, keys, BOB) == [True] * 3


async def test_what_came_after_the_mark_is_neither_counted_nor_taken(
    redis: Redis, keys: Keys, state: ErasedState
) -> None:
    await state.set_marks(MARKS)
    await fill(redis, keys, ANN, COUNTED, NOON_MS + 1)
    await state.set_marks(MARKS)
    await state.set_marks({ANN: NOON_MS - 5})
    await state.clear(MARKS)
    assert await state.remaining(MARKS) == 0
    assert await standing(redis, keys, ANN) == [True] * 3
    later = {ANN: NOON_MS + 2}
    assert await state.remaining(later) == 3, "the next erasure is of all that"
    await state.set_marks(later)
    assert await standing(redis, keys, ANN) == [False] * 3


async def test_what_a_worker_leaves_that_was_quicker_is_seen_and_cleared(
    redis: Redis, keys: Keys, state: ErasedState
) -> None:
    """The erase event's own id, and the list from before it."""
    await state.set_marks(MARKS)
    await fill(redis, keys, ANN, ONE_ID, NOON_MS)
    assert await state.remaining(MARKS) == 3
    await state.clear(MARKS)
    assert await state.remaining(MARKS) == 0
    assert await standing(redis, keys, ANN) == [False] * 3


async def test_without_a_mark_nothing_is_cleared(
    redis: Redis, keys: Keys, state: ErasedState
) -> None:
    await fill(redis, keys, ANN, ONE_ID, NOON_MS)
    await state.clear(MARKS)
    assert await standing(redis, keys, ANN) == [True] * 3


async def test_many_marks_as_a_rebuild_sets_them(redis: Redis, state: ErasedState) -> None:
    marks = {("shop", f"u{number}"): NOON_MS + number for number in range(1_234)}
    await state.set_marks(marks)
    assert await state.remaining(marks) == 0
    await state.set_marks({name: mark - 1 for name, mark in marks.items()})
    assert await state.remaining(marks) == 0
    raised = {("shop", "u7"): NOON_MS + 8}
    await state.set_marks(raised)
    assert await state.remaining(raised) == 0
