"""What a deployment has counted, beside a recount of its topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from redis.asyncio import Redis

from millstream.local.deployment import Deployment
from millstream.local.recount import Recount, compare, read_records
from millstream.stores.fences import LEDGER, Fences, read_fences
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS
from millstream.streaming.topics import EVENTS

Ends = Mapping[int, int]
"""By partition, the next offset after what was sent."""


async def fences_of(deployment: Deployment, redis: Redis, ends: Ends) -> Fences:
    topic, keys = deployment.settings.topic(EVENTS), Keys(deployment.settings.redis_prefix)
    return await read_fences(redis, keys, DEFAULT_SLOTS, [(topic, number) for number in ends])


async def ledger_of(deployment: Deployment, redis: Redis, ends: Ends) -> Counter[str]:
    """The fates of offsets, over all partitions."""
    found = Counter[str]()
    for partition in (await fences_of(deployment, redis, ends)).partitions.values():
        held = partition.ledger or {}
        found.update({name: held.get(name, 0) for name in LEDGER})
    return found


async def assert_exact(
    deployment: Deployment,
    redis: Redis,
    ends: Ends,
    refused: Collection[tuple[int, int]] = (),
) -> None:
    """Nothing lost, nothing doubled; `refused` are the places of what is to be no event."""
    recount, keys = Recount(), Keys(deployment.settings.redis_prefix)
    servers, topic = deployment.kafka.bootstrap_servers, deployment.settings.topic(EVENTS)
    async for found in read_records(servers, topic, ends):
        if (found.partition, found.offset) not in refused:
            recount.add(found.value)
    users = await shopper_counts(redis, keys, DEFAULT_SLOTS)
    items = await item_counts(redis, keys, DEFAULT_SLOTS)
    verdict = compare(recount, users, items)
    assert (verdict.lost, verdict.doubled, verdict.lost_lines, verdict.doubled_lines) == (0,) * 4
    ledger = await ledger_of(deployment, redis, ends)
    assert (ledger["acc"], ledger["dup"]) == (recount.accepted, recount.repeated)
    assert ledger["bad"] == len(refused)
    assert ledger.total() == sum(ends.values())
