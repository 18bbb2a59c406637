"""Taking away what was counted, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from millstream.domain.errors import Halt
from millstream.local.valkey import Valkey
from millstream.stores import reset
from millstream.stores.keys import Keys
from millstream.stores.redis import connect
from millstream.stores.reset import BATCH, holds_counts, require_whole, wipe

SLOTS = 2


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = connect(valkey.url)
    yield client
    await client.aclose()


def counted_keys(keys: Keys) -> list[str]:
    return [
        *(keys.shopper(1, "default", f"u{n}") for n in range(BATCH + 1)),
        keys.event_ids(0, "default", "u"),
        keys.item_partials(0, "default"),
        keys.dirty(1),
        keys.taken(0),
        keys.owed(1),
        keys.replayed(0),
        keys.neighbours(0, "default", "i"),
        keys.popular("default"),
        keys.item_totals("default", "i"),
        keys.tenants(),
        keys.erased(0),
        keys.fences(0),
        keys.clocks(1),
    ]


async def test_counts_go_and_the_deployment_stays(redis: Redis, prefix: str) -> None:
    keys, other = Keys(prefix), Keys(f"{prefix}other:")
    kept = [
        keys.layout(),
        keys.model("default", "embedding"),
        keys.served_list(0, "default", "u"),
        keys.item_numbers("default"),
        *counted_keys(other),
    ]
    await redis.mset(dict.fromkeys([*kept[1:], *counted_keys(keys)], "x"))
    await redis.hset(keys.layout(), "slots", str(SLOTS))
    assert await holds_counts(redis, keys)
    await wipe(redis, keys, SLOTS)
    left = {key.decode() async for key in redis.scan_iter(f"{prefix}*", count=1000)}
    assert left == set(kept)
    assert await redis.hgetall(keys.layout()) == {b"slots": b"%d" % SLOTS}
    assert not await holds_counts(redis, keys)
    assert await holds_counts(redis, other)


@pytest.mark.parametrize("n", range(7))
async def test_any_count_is_one_that_would_be_counted_on_top_of(
    redis: Redis, prefix: str, n: int
) -> None:
    keys = Keys(prefix)
    await redis.set(counted_keys(keys)[BATCH + n], "x")
    assert await holds_counts(redis, keys)


async def test_positions_alone_are_no_counts(redis: Redis, prefix: str) -> None:
    """`fences init` says where to begin before anything is counted."""
    keys = Keys(prefix)
    await redis.hset(keys.fences(0), "t:0:topic:0", "7")
    assert not await holds_counts(redis, keys)


async def test_a_wipe_that_was_cut_short_is_noticed_and_ended(
    redis: Redis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(prefix)
    await redis.mset(dict.fromkeys(counted_keys(keys), "x"))

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(reset, "_unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            await wipe(redis, keys, SLOTS)
    with pytest.raises(Halt, match="cut short"):
        await require_whole(redis, keys)
    await wipe(redis, keys, SLOTS)
    await require_whole(redis, keys)
