"""Where Redis differs from the recount of a made-up log."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millstream.domain.identity import ShopperName, slot_of
from millstream.features.state import USER_FEATURES, ShopperState
from millstream.features.writes import Write
from millstream.local.chaos.faulty_store import SLOTS
from millstream.local.chaos.made_up_log import TENANTS, TOPIC, Log, Oracle, lengths, recount
from millstream.stores.fences import FIRST_EPOCH, field_of
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.shopper_values import fields_of

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

NOW_MS = 2_000_000_000_000
"""Later than all that happens in a log: decayed features are read as of it."""


async def differences(redis: Redis, keys: Keys, log: Log, numbers: ItemNumbers) -> list[str]:
    """Empty when Redis is exact."""
    expected = recount(log)
    names = sorted(log.shoppers())
    pipeline = redis.pipeline(transaction=False)
    for slot in range(SLOTS):
        pipeline.hgetall(keys.fences(slot))
        for tenant in TENANTS:
            pipeline.hgetall(keys.item_partials(slot, tenant))
    for name in names:
        pipeline.get(keys.shopper(slot_of(*name, SLOTS), *name))
    held = await pipeline.execute()
    ledgers, partials = [], []
    for _ in range(SLOTS):
        ledgers.append(_numbers(held.pop(0)))
        partials.append({tenant: _numbers(held.pop(0)) for tenant in TENANTS})
    states = {
        name: ShopperState(fields_of(value), numbers.names(name[0]))
        for name, value in zip(names, held, strict=True)
    }
    return [
        *_wrong_shoppers(log, states, expected.shoppers),
        *_wrong_items(ledgers, partials, expected.items),
        *_wrong_ledgers(log, ledgers),
        *_wrong_tenants(log, ledgers, expected),
    ]


def _wrong_shoppers(
    log: Log, held: Mapping[ShopperName, ShopperState], expected: Mapping[ShopperName, Any]
) -> Iterator[str]:
    for name, stored in held.items():
        due = expected[name].state() if name in expected else ShopperState(None)
        for feature in USER_FEATURES:
            ordered = feature.write in (Write.DECAY, Write.RECENT, Write.LINKS)
            if ordered and name in log.crossing:
                continue  # its events were applied in no one order
            found, wanted = stored.read(feature, NOW_MS), due.read(feature, NOW_MS)
            if not alike(found, wanted):
                yield f"{name} {feature.name}: {found} instead of {wanted}"


def _wrong_ledgers(log: Log, ledgers: Sequence[Mapping[str, int]]) -> Iterator[str]:
    for partition, end in enumerate(lengths(log)):
        at, sums = field_of(FIRST_EPOCH, TOPIC, partition), Counter[str]()
        for slot, fences in enumerate(ledgers):
            if fences.get(f"t:{at}", 0) != end:
                yield f"slot {slot} stands at {fences.get(f't:{at}')} of {end}"
            for name in ("acc", "dup", "late", "era", "over", "bad"):
                sums[name] += fences.get(f"{name}:{at}", 0)
        if sums.total() != end:
            yield f"partition {partition}: {dict(sums)} of {end} records"


def _wrong_tenants(
    log: Log, ledgers: Sequence[Mapping[str, int]], expected: Oracle
) -> Iterator[str]:
    """Which of an erased shopper's events counted before hangs on the order of the partitions."""
    erased = {tenant for tenant, _ in log.erased}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for fences in ledgers:
        for name, n in fences.items():
            fate, is_a_tenants, tenant = name.partition("/")
            if is_a_tenants:
                found[tenant][fate] += n
    for tenant in found.keys() | expected.records.keys():
        fates, n, accepted = found[tenant], expected.records[tenant], expected.accepted[tenant]
        if fates.total() != n or (tenant not in erased and fates["acc"] != accepted):
            yield f"tenant {tenant}: {dict(fates)} of {n} records, {accepted} to accept"


def _wrong_items(
    ledgers: Sequence[Mapping[str, int]],
    partials: Sequence[Mapping[str, Mapping[str, int]]],
    expected: Mapping[tuple[str, str], int],
) -> Iterator[str]:
    """The partials against the recount, and in each slot against the ledger's own sum."""
    found: Counter[tuple[str, str]] = Counter()
    for slot, (ledger, counts) in enumerate(zip(ledgers, partials, strict=True)):
        lines = sum(n for name, n in ledger.items() if name.startswith("itm:"))
        if lines != sum(sum(fields.values()) for fields in counts.values()):
            yield f"slot {slot}: {counts}, but {lines} item lines in the ledger"
        for tenant, fields in counts.items():
            for key, n in fields.items():
                if not key.partition("|")[2].startswith("x"):
                    found[tenant, key] += n
    if found != expected:
        yield f"items: {dict(found)} instead of {dict(expected)}"


def _numbers(held: Mapping[bytes, bytes]) -> dict[str, int]:
    """A hash without its witnesses."""
    return {name.decode(): int(value) for name, value in held.items() if not name.startswith(b"w:")}


def alike(found: Any, due: Any) -> bool:
    """Equal, floats to six digits."""
    if isinstance(found, tuple) and isinstance(due, tuple):
        return len(found) == len(due) and all(map(alike, found, due))
    if isinstance(found, float) and isinstance(due, float):
        return math.isclose(found, due, rel_tol=1e-6)
    return bool(found == due)
