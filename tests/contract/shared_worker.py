"""A worker's pipeline on a real store, shared by tenants: what they did goes in, portion by
portion, and what was published and written comes out."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import NamedTuple

import msgspec
from hypothesis import strategies as st
from redis.asyncio import Redis
from tests.builders import NOON_MS, TOPIC, event
from tests.builders import record as log_record
from tests.memory_outbox import MemoryLog, MemoryOutbox
from tests.unit.recommender.conftest import (
    MemoryProducer,
    MemoryStarts,
    Sent,
    no_trial,
    no_trouble,
)

from millstream.counting.recheck import Recheck
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.events import Event, EventType
from millstream.domain.identity import record_key
from millstream.domain.replayed import no_origin
from millstream.ranking.rankings import Rankings
from millstream.ranking.settings import RankingSettings
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness
from millstream.recommender.fair_shares import FairShares
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.pipeline import Part, Stages, answer, deliver, prepare, record
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.quarantine import Quarantine
from millstream.recommender.record import Recorder
from millstream.recommender.tenure import Tenure
from millstream.recommender.variants import Variants
from millstream.stores.affinities import AffinityStore
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.feature_store import FeatureStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.review_book import ReviewBook
from millstream.stores.served_lists import ServedLists
from millstream.stores.tenant_ledger import TenantLedger
from millstream.stores.visits import Visits
from millstream.streaming.cursor import Cursor
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import Record
from millstream.streaming.over_full import OverFull

STOCK = {
    "a": ("i0", "i1", "i2", "a-b:i3"),
    "a-b": ("i1", "i2", "i3", "i4"),
    "b": ("i0", "i3", "i4", "a"),
}
"""By tenant. All shoppers, visits, sessions and events are called alike, and so are most items."""
HIDDEN = {"a": "i1", "a-b": "i3", "b": "i0"}
"""By tenant an item that another sells."""
SHOPPERS = ("ann", "bob", "a")
SHOPPING = (EventType.VIEW_ITEM, EventType.ADD_TO_CART, EventType.PURCHASE, None)
KINDS = (*SHOPPING, EventType.ERASE)
RANKINGS = Rankings(own={"a-b": RankingSettings(list_length=3)})
SLOTS, LISTS = 1, "lists"
"""One slot: what one tenant's keys have in common with another's meets there."""
_OF_TENANT = re.compile(r"(?:[iudrn]:\{\d+\}|items|it|p):([^:]+)")


class Deed(NamedTuple):
    """`kind` None: what was sent does not read as an event. `places`: in the tenant's stock, of
    which one can be looked at at a time, and none where a shopper is erased."""

    tenant: str
    event_id: str
    shopper: str
    visitor: str | None
    kind: EventType | None
    places: tuple[int, ...]

    @property
    def items(self) -> tuple[str, ...]:
        most = {EventType.VIEW_ITEM: 1, EventType.ERASE: 0}.get(self.kind or EventType.PURCHASE)
        return tuple(STOCK[self.tenant][place] for place in self.places[:most])


@dataclass(frozen=True)
class Outcome:
    """`sent`: by portion. By tenant: `held`, every key that names it with its content, and
    `ledgers`."""

    sent: Sequence[Sequence[Sent]]
    held: Mapping[str, Mapping[str, bytes]]
    ledgers: Mapping[str, Mapping[str, int]]

    def lists(self, tenant: str) -> list[Sent]:
        """Each shopper's in their order; between shoppers there is none."""
        every = (one for portion in self.sent for one in portion)
        begins = record_key(tenant, "")
        theirs = [one for one in every if one.key is not None and one.key.startswith(begins)]
        return sorted(theirs, key=lambda one: one.key or b"")


def deeds_of(kinds: Sequence[EventType | None]) -> st.SearchStrategy[Deed]:
    return st.builds(
        Deed,
        st.sampled_from(list(STOCK)),
        st.sampled_from([f"e{n}" for n in range(12)]),
        st.sampled_from(SHOPPERS),
        st.sampled_from([None, None, "v"]),
        st.sampled_from(kinds),
        st.lists(st.integers(0, 3), min_size=1, max_size=2).map(tuple),
    )


class Clock:
    now = NOON_MS

    def __call__(self) -> int:
        return self.now


async def outcome(
    redis: Redis,
    deeds: Sequence[Deed | None],
    portion: int,
    models: HotSwap,
    fair_after_ms: int = 0,
) -> Outcome:
    """`deeds`: at their offsets; None: the log has nothing there. So many offsets to a portion."""
    keys, producer, clock = Keys(f"t{secrets.token_hex(6)}:"), MemoryProducer(), Clock()
    stages = _stages(redis, keys, producer, clock, models, fair_after_ms)
    cursor, sent = Cursor(0, 0), []
    for start in range(0, len(deeds), portion):
        some = enumerate(deeds[start : start + portion], start)
        records = [_record(deed, offset) for offset, deed in some if deed is not None]
        clock.now += 60_000
        begun = len(producer.sent)
        if records:
            await _take(Part((TOPIC, 0), records, cursor.expected, cursor), stages)
        sent.append([one for one in producer.sent[begun:] if one.topic == LISTS])
    ledger = TenantLedger(redis, keys, SLOTS)
    return Outcome(sent, await _held(redis, keys), {name: await ledger.of(name) for name in STOCK})


async def _take(part: Part, stages: Stages) -> None:
    ready = await prepare([part], stages)
    recorded = await record(ready, stages)
    sending = await answer(ready, recorded, stages, lambda: None)
    await deliver(ready, recorded, sending, stages)
    await stages.deriver.flush()


def _record(deed: Deed, offset: int) -> Record:
    at_ms = NOON_MS + offset
    value = b"{" if deed.kind is None else msgspec.json.encode(_event(deed, at_ms))
    return replace(log_record(value, offset, log_ms=at_ms), key=record_key(deed.tenant, "x"))


def _event(deed: Deed, at_ms: int) -> Event:
    assert deed.kind is not None
    return event(
        deed.event_id,
        deed.shopper,
        *deed.items,
        kind=deed.kind,
        at_ms=at_ms,
        tenant=deed.tenant,
        anonymous_id=None if deed.kind is EventType.ERASE else deed.visitor,
        session_id="s1",
    )


def catalogue() -> Catalogue:
    """Titles tell whose they are."""
    made = Catalogue()
    for tenant, items in STOCK.items():
        for age, item in enumerate(items):
            added = as_datetime(NOON_MS - age * 3_600_000)
            entry = CatalogueItem(
                item_id=item,
                tenant=tenant,
                title=f"{item} [{tenant}]",
                added_at=added,
                hidden=item == HIDDEN[tenant],
            )
            made.take(record_key(tenant, item), msgspec.json.encode(entry))
    return made


def _stages(
    redis: Redis,
    keys: Keys,
    producer: MemoryProducer,
    clock: Clock,
    models: HotSwap,
    fair_after_ms: int,
) -> Stages:
    numbers, store = ItemNumbers(redis, keys), FeatureStore(redis, keys, SLOTS, partitions=1)
    affinities, sold = AffinityStore(redis, keys, SLOTS, numbers), catalogue()
    drafter = Drafter(
        lambda tenant: CachedShop(tenant, affinities, sold, DemandBook(), ReviewBook(), clock),
        models,
        Variants("default", RANKINGS),
        visits=Visits(store, numbers),
    )
    recorder = Recorder(store, numbers, SLOTS, clock)
    recorder.resume({(TOPIC, 0): [0] * SLOTS}, "0")
    dead_letters = DeadLetters(producer)
    return Stages(
        quarantine=Quarantine(dead_letters, no_origin, MemoryStarts(), no_trial),
        eviction=Recheck(no_trouble, 4.0, monotonic),
        recorder=recorder,
        over_full=OverFull(dead_letters, MemoryOutbox(), MemoryLog()),
        deriver=Deriver(affinities, numbers, drafter.forget),
        drafter=drafter,
        tenure=Tenure(3.0, monotonic),
        served=ServedLists(redis, keys, SLOTS, numbers),
        publisher=Publisher(producer, Topics(TOPIC, LISTS), clock),
        freshness=Freshness(0, clock),
        fair=FairShares(fair_after_ms, clock),
    )


async def _held(redis: Redis, keys: Keys) -> Mapping[str, Mapping[str, bytes]]:
    found: dict[str, dict[str, bytes]] = defaultdict(dict)
    names = [key async for key in redis.scan_iter(match=f"{keys.prefix}*", count=1000)]
    pipeline = redis.pipeline(transaction=False)
    for key in names:
        pipeline.dump(key)
    for key, content in zip(names, await pipeline.execute(), strict=True):
        name = key.decode().removeprefix(keys.prefix)
        if whose := _OF_TENANT.match(name):
            found[whose[1]][name] = content
    return found
