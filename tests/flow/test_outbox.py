"""The outbox in a real Redis: places in, those of the partitions asked for out, settled once."""

from __future__ import annotations

from typing import Any, cast

from millstream.local.valkey import Valkey
from millstream.stores.keys import Keys
from millstream.stores.outbox import Outbox
from millstream.stores.redis import connect


async def test_places_are_owed_until_they_are_settled(valkey: Valkey, prefix: str) -> None:
    redis, keys = connect(valkey.url), Keys(prefix)
    outbox = Outbox(redis, keys, slots=3)
    for slot, member in ((0, "p.t:1:5"), (2, "p.t:1:3"), (2, "p.t:0:9"), (1, "other:1:4")):
        await cast(Any, redis.sadd(keys.owed(slot), member))
    assert await outbox.owed([("p.t", 1)]) == [("p.t", 1, 3), ("p.t", 1, 5)]
    await outbox.settle([("p.t", 1, 3), ("p.t", 0, 9)])
    await outbox.settle([("p.t", 1, 3)])
    await outbox.settle([])
    assert await outbox.owed([("p.t", 1), ("p.t", 0)]) == [("p.t", 1, 5)]
    assert await outbox.owed([]) == []
    await redis.aclose()
