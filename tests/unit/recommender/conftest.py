"""A recommender in memory: what stands behind the stages keeps its word without a server."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.builders import NOON_MS, TOPIC
from tests.memory_outbox import MemoryLog, MemoryOutbox
from tests.parsed_ops import HOLE, ParsedOp, parse_ops

from millstream.counting.fenced import Recorded
from millstream.counting.recheck import Recheck
from millstream.domain.clock import as_datetime
from millstream.domain.events import TYPE_ORDER, Event, Line
from millstream.domain.identity import ShopperName
from millstream.domain.lists import RecommendationList
from millstream.domain.log import Partition
from millstream.domain.replayed import no_origin
from millstream.features.covisitation import Shares, shares
from millstream.features.replayed import ItemNumbers as Numbers
from millstream.features.replayed import ReplayedShopper
from millstream.model.registry import Registry
from millstream.ranking.rankings import Rankings
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness
from millstream.recommender.fair_shares import FairShares
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.pipeline import Stages
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.quarantine import Quarantine
from millstream.recommender.record import Recorder
from millstream.recommender.tenure import Tenure
from millstream.recommender.variants import Variants
from millstream.recommender.worker import Worker
from millstream.stores.affinities import ROW, AffinityStore, NeighbourWrite, Weighted
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.feature_store import FeatureStore, SlotCall, SlotReply, Status
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.ops import BAD_RECORD, LATE_RECORD, NumberedItem
from millstream.stores.review_book import ReviewBook
from millstream.stores.served_lists import ServedLists
from millstream.streaming.chunks import Chunk
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import Decoded, Record
from millstream.streaming.over_full import OverFull

SLOTS = 4


class MemoryNumbers(ItemNumbers):
    """The same numbers for every tenant, in the order of their coming."""

    def __init__(self) -> None:
        self.shared = Numbers()
        self._known: dict[str, NumberedItem] = {}
        self._tenants = set[str]()

    def names(self, tenant: str) -> Mapping[int, str]:  # noqa: ARG002
        return self.shared.names

    def numbered(self, tenant: str) -> Mapping[str, NumberedItem]:  # noqa: ARG002
        return self._known

    def knows(self, tenant: str) -> bool:
        return tenant in self._tenants

    async def learn(self, tenant: str, items: Iterable[str]) -> None:
        self._tenants.add(tenant)
        for item in items:
            self._known[item] = (self.shared.number(item), item.encode())

    async def recalled(self, tenant: str, numbers: Sequence[int]) -> list[str | None]:  # noqa: ARG002
        return [self.shared.names.get(number) for number in numbers]

    async def load(self) -> None: ...


class MemoryStore(FeatureStore):
    """recs_apply_v2 over dictionaries, without its window, limits and erase marks."""

    def __init__(self) -> None:
        self.fences: dict[tuple[int, Partition], int] = defaultdict(int)
        self.numbers = MemoryNumbers()
        self.shoppers = defaultdict[ShopperName, ReplayedShopper](
            lambda: ReplayedShopper(self.numbers.shared)
        )
        self.seen: set[tuple[ShopperName, bytes]] = set()
        self.room = 1_000
        self.calls: list[SlotCall] = []
        self.epoch = "0"
        self.failure: Exception | None = None

    async def apply(self, calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        self.calls += calls
        await asyncio.sleep(0)
        if self.failure is not None:
            raise self.failure
        return [self._apply(call, epoch) for call in calls]

    def _apply(self, call: SlotCall, epoch: str) -> SlotReply:
        fence = self.fences[call.slot, call.source]
        if epoch != self.epoch:
            return SlotReply(Status.EPOCH, int(self.epoch), "", ())
        if call.start > fence:
            return SlotReply(Status.GAP, fence, "", ())
        if call.to <= fence:
            return SlotReply(Status.STALE, fence, "", self._states(call))
        verdicts = "".join(
            "-" if op.offset < fence else self._verdict(call, op) for op in parse_ops(call.ops)
        )
        self.fences[call.slot, call.source] = call.to
        return SlotReply(Status.OK, call.to, verdicts, self._states(call))

    def _verdict(self, call: SlotCall, op: ParsedOp) -> str:
        if op.kind < 0:
            return {BAD_RECORD: "b", LATE_RECORD: "l", HOLE: "h"}[op.kind]
        name = call.shoppers[op.shopper]
        if (name, op.digest) in self.seen:
            return "d"
        if len(self.seen) >= self.room:
            return "o"
        self.seen.add((name, op.digest))
        items = tuple(Line(item) for item in op.items)
        when, kind = as_datetime(op.event_ms), TYPE_ORDER[op.kind]
        what = Event(event_id="x", type=kind, time=when, user_id=name[1], items=items)
        self.shoppers[name].apply(msgspec.structs.replace(what, anonymous_id=op.visitor))
        return "a"

    def _states(self, call: SlotCall) -> list[bytes]:
        return [
            self.shoppers[name].packed() if name in self.shoppers else b"" for name in call.shoppers
        ]

    def positions(self, partitions: Sequence[Partition]) -> dict[Partition, tuple[int, ...]]:
        return {tp: tuple(self.fences[slot, tp] for slot in range(SLOTS)) for tp in partitions}


class MemoryStarts:
    """As stores.starts.Starts, without its end."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Partition, int]] = Counter()

    async def count(self, epoch: str, positions: Mapping[Partition, int]) -> dict[Partition, int]:
        places = {tp: (epoch, tp, at) for tp, at in positions.items()}
        self.counts.update(places.values())
        return {tp: self.counts[place] for tp, place in places.items()}


async def no_trial(_records: Sequence[Record]) -> set[int]:
    raise AssertionError("nobody is suspected")


async def record(recorder: Recorder, *ranges: Decoded) -> Recorded:
    return await recorder.record([await recorder.prepare(one) for one in ranges])


async def take(worker: Worker, chunks: Sequence[Chunk]) -> None:
    """Returns when all of it is handled; as `run` does, notices whenever a portion ends."""
    await worker.begin(chunks)
    while tasks := worker._flights._tasks:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # one that ended before its turn is noticed later
        await worker.begin([])


class MemoryServed(ServedLists):
    def __init__(self) -> None:
        self.lists: dict[ShopperName, RecommendationList] = {}

    async def put(self, lists: Sequence[RecommendationList]) -> None:
        for ranked in lists:
            self.lists[ranked.tenant, ranked.user] = ranked

    async def drop(self, shoppers: Iterable[ShopperName]) -> None:
        for name in shoppers:
            self.lists.pop(name, None)


class MemoryAffinities(AffinityStore):
    def __init__(self, numbers: ItemNumbers, popular: Weighted = ()) -> None:  # type: ignore[assignment]
        self._numbers = numbers
        self.pairs: list[tuple[str, Mapping[str, Mapping[str, float]]]] = []
        self.liked: list[tuple[str, Mapping[str, float]]] = []
        self.tenants: list[str] = []
        self.reads: list[str] = []
        self._popular = list(popular)
        self._slots = 1

    async def add_neighbours(self, write: NeighbourWrite) -> None:
        names = self._numbers.names(write.tenant)
        rows = [np.frombuffer(row, ROW) for row in write.rows]
        near = {
            item: {names[int(n)]: float(weight) for n, weight in row.tolist()}
            for item, row in zip(write.items, rows, strict=True)
        }
        self.pairs.append((write.tenant, near))

    async def add_popular(self, tenant: str, added: Mapping[str, float]) -> None:
        self.liked.append((tenant, added))

    async def neighbours(self, tenant: str, items: Sequence[str]) -> dict[str, Shares]:
        self.reads.append(tenant)
        return {item: shares([f"{item}+"], np.zeros(1)) for item in items}

    async def popular(self, tenant: str, n: int) -> Weighted:
        return self._popular[:n] if tenant == "default" else []

    async def note_tenants(self, tenants: object) -> None:
        self.tenants += sorted(tenants)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Sent:
    topic: str
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def made(self) -> RecommendationList:
        return msgspec.json.decode(self.value or b"", type=RecommendationList)


@dataclass
class MemoryProducer:
    """Durable at once, unless `holding`; then when the test says so."""

    sent: list[Sent] = field(default_factory=list)
    holding: bool = False
    waiting: list[asyncio.Future[object]] = field(default_factory=list)
    failure: Exception | None = None

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]:
        durable: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self.failure is not None:
            durable.set_exception(self.failure)
            return durable
        self.sent.append(Sent(topic, value, key, tuple(headers or ())))
        if self.holding:
            self.waiting.append(durable)
        else:
            durable.set_result(None)
        return durable

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> object:
        return await (await self.send(topic, value, key, headers=headers))

    def to(self, topic: str) -> list[Sent]:
        return [sent for sent in self.sent if sent.topic == topic]


class MemoryPointer:
    def __init__(self) -> None:
        self.current: dict[tuple[str, str], tuple[int, str]] = {}

    async def read(self, tenant: str, model: str) -> tuple[int, str] | None:
        return self.current.get((tenant, model))

    async def promote(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        before = self.current.get((tenant, model))
        if (before and before[0]) != expected_version:
            return False
        self.current[tenant, model] = (version, sha)
        return True


async def until(holds: Callable[[], bool]) -> None:
    """Lists are made in a thread, for which no number of turns is enough."""
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  nothing tells it
            await asyncio.sleep(0.001)


async def turns(n: int) -> None:
    """Lets the other tasks of the loop run `n` times each."""
    for _ in range(n):
        await asyncio.sleep(0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def producer() -> MemoryProducer:
    return MemoryProducer()


@pytest.fixture
def affinities(store: MemoryStore) -> MemoryAffinities:
    return MemoryAffinities(store.numbers, [("best", 9.0), ("better", 8.0)])


@pytest.fixture
def no_model(tmp_path: Path) -> HotSwap:
    key = Ed25519PrivateKey.generate().public_key()
    return HotSwap("embedding", Registry(tmp_path), MemoryPointer(), key)


@pytest.fixture
def drafter(affinities: MemoryAffinities, no_model: HotSwap) -> Drafter:
    def shop_of(tenant: str) -> CachedShop:
        return CachedShop(
            tenant, affinities, Catalogue(), DemandBook(), ReviewBook(), lambda: NOON_MS
        )

    return Drafter(shop_of, no_model, Variants("default", Rankings()))


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


async def no_trouble() -> None: ...


@pytest.fixture
def stages(
    store: MemoryStore,
    producer: MemoryProducer,
    affinities: MemoryAffinities,
    drafter: Drafter,
    outbox: MemoryOutbox,
) -> Stages:
    dead_letters = DeadLetters(producer)
    return Stages(
        quarantine=Quarantine(dead_letters, no_origin, MemoryStarts(), no_trial),
        eviction=Recheck(no_trouble, 4.0, monotonic),
        recorder=Recorder(store, store.numbers, SLOTS, lambda: NOON_MS),
        over_full=OverFull(dead_letters, outbox, MemoryLog()),
        deriver=Deriver(affinities, store.numbers),
        drafter=drafter,
        tenure=Tenure(3.0, monotonic),
        served=MemoryServed(),
        publisher=Publisher(producer, Topics(TOPIC, "lists"), lambda: NOON_MS),
        freshness=Freshness(0, lambda: NOON_MS),
        fair=FairShares(0, lambda: NOON_MS),
    )
