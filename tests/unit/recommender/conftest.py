"""A recommender in memory: what stands behind the stages keeps its word without a server."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.builders import NOON_MS, TOPIC

from millstream.domain.clock import as_datetime
from millstream.domain.events import TYPE_ORDER, Event, Line
from millstream.domain.lists import RecommendationList
from millstream.features.replayed import ReplayedShopper
from millstream.model.registry import Registry
from millstream.ranking.settings import RankingSettings
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.pipeline import Stages
from millstream.recommender.publish import Publisher, Topics
from millstream.recommender.record import Recorder, ShopperName
from millstream.stores.affinities import AffinityStore, Weighted
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.feature_store import FeatureStore, Op, SlotCall, SlotReply, Status
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.transport import Partition

SLOTS = 4


class MemoryStore(FeatureStore):
    """recs_apply_v1 over dictionaries, without its window, limits and erase marks."""

    def __init__(self) -> None:
        self.fences: dict[tuple[int, Partition], int] = defaultdict(int)
        self.shoppers: dict[ShopperName, ReplayedShopper] = defaultdict(ReplayedShopper)
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
        digests = iter(range(0, len(call.digests), 16))
        verdicts = ""
        for op in call.ops:
            at = next(digests) if op[2] >= 0 else 0
            verdicts += (
                "-" if op[0] < fence else self._verdict(call, op, call.digests[at : at + 16])
            )
        self.fences[call.slot, call.source] = call.to
        return SlotReply(Status.OK, call.to, verdicts, self._states(call))

    def _verdict(self, call: SlotCall, op: Op, digest: bytes) -> str:
        if op[2] < 0:
            return "b" if op[2] == -1 else "l"
        name = call.shoppers[op[3]]
        if (name, digest) in self.seen:
            return "d"
        if len(self.seen) >= self.room:
            return "o"
        self.seen.add((name, digest))
        items = tuple(Line(item) for item in op[6])
        when, kind = as_datetime(op[5]), TYPE_ORDER[op[2]]
        self.shoppers[name].apply(
            Event(event_id="x", type=kind, time=when, user_id=name[1], items=items)
        )
        return "a"

    def _states(self, call: SlotCall) -> list[bytes | None]:
        return [
            self.shoppers[name].packed() if name in self.shoppers else None
            for name in call.shoppers
        ]

    def positions(self, partitions: Sequence[Partition]) -> dict[Partition, tuple[int, ...]]:
        return {tp: tuple(self.fences[slot, tp] for slot in range(SLOTS)) for tp in partitions}


class MemoryAffinities(AffinityStore):
    def __init__(self, popular: Weighted = ()) -> None:  # type: ignore[assignment]
        self.pairs: list[tuple[str, Mapping[str, Mapping[str, float]]]] = []
        self.liked: list[tuple[str, Mapping[str, float]]] = []
        self.tenants: list[str] = []
        self.reads: list[str] = []
        self._popular = list(popular)

    async def add_neighbours(self, tenant: str, added: Mapping[str, Mapping[str, float]]) -> None:
        self.pairs.append((tenant, added))

    async def add_popular(self, tenant: str, added: Mapping[str, float]) -> None:
        self.liked.append((tenant, added))

    async def neighbours(self, tenant: str, items: Sequence[str]) -> dict[str, Weighted]:
        self.reads.append(tenant)
        return {item: [(f"{item}+", 1.0)] for item in items}

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
def affinities() -> MemoryAffinities:
    return MemoryAffinities([("best", 9.0), ("better", 8.0)])


@pytest.fixture
def no_model(tmp_path: Path) -> HotSwap:
    key = Ed25519PrivateKey.generate().public_key()
    return HotSwap("embedding", Registry(tmp_path), MemoryPointer(), key)


@pytest.fixture
def drafter(affinities: MemoryAffinities, no_model: HotSwap) -> Drafter:
    def shop_of(tenant: str) -> CachedShop:
        return CachedShop(tenant, affinities, Catalogue(), lambda: NOON_MS)

    return Drafter(shop_of, no_model, RankingSettings())


@pytest.fixture
def stages(
    store: MemoryStore,
    producer: MemoryProducer,
    affinities: MemoryAffinities,
    drafter: Drafter,
) -> Stages:
    return Stages(
        dead_letters=DeadLetters(producer),
        recorder=Recorder(store, SLOTS, lambda: NOON_MS),
        deriver=Deriver(affinities),
        drafter=drafter,
        publisher=Publisher(
            producer, Topics(TOPIC, "lists"), "default", "0123456789ab", lambda: NOON_MS
        ),
        freshness=Freshness(0, lambda: NOON_MS),
    )
