"""Verdicts counted by the same call: the first of a review, once, whatever dies in between."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from redis.asyncio import Redis

from millstream.counting.fenced import FencedCounter
from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.domain.reviews import ReviewCounts, ReviewVerdict, Verdict
from millstream.insights.reviews.count import VerdictCounter
from millstream.stores.epoch import bump_epoch
from millstream.stores.erasures import ErasedEverywhere, ErasedState
from millstream.stores.feature_store import SlotCall, SlotReply
from millstream.stores.fences import Fences, read_fences
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.outbox import Outbox
from millstream.stores.verdict_store import ReviewedItem, ReviewTotals, VerdictStore, review_keys
from millstream.streaming.decode import Record
from millstream.streaming.probe import Absent

SLOTS, PARTITIONS = 4, 3
TOPIC = "reco.review.sentiment.v1"
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)


class Crash(Exception):  # noqa: N818
    """The process is gone here."""


@dataclass
class Log:
    """The topic; also what a LogReader tells of it."""

    records: dict[Partition, list[Record]] = field(
        default_factory=lambda: {(TOPIC, number): [] for number in range(PARTITIONS)}
    )
    begins: dict[Partition, int] = field(default_factory=dict)

    def append(self, partition: int, value: bytes, log_ms: int = NOON_MS) -> None:
        row = self.records[TOPIC, partition]
        row.append(
            ConsumerRecord(
                topic=TOPIC,
                partition=partition,
                offset=len(row),
                timestamp=log_ms,
                timestamp_type=1,
                key=None,
                value=value,
                checksum=None,
                serialized_key_size=0,
                serialized_value_size=0,
                headers=(),
            )
        )

    async def starts(self, partitions: Iterable[Partition]) -> dict[Partition, int] | None:
        return {tp: self.begins.get(tp, 0) for tp in partitions}

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]:
        return {
            tp: next((r for r in self.records[tp] if r.offset >= at), Absent.GONE)
            for tp, at in places.items()
        }

    async def first_offset(self, source: Partition, offset: int) -> int | None:
        return next((r.offset for r in self.records[source] if r.offset >= offset), None)


class Consumer:
    def __init__(self, log: Log, rng: random.Random) -> None:
        self._log = log
        self._rng = rng
        self._at: dict[Partition, int] = {}

    def assign(self, places: Collection[TopicPartition]) -> None:
        self._at = {(p.topic, p.partition): 0 for p in places}

    def seek(self, place: TopicPartition, offset: int) -> None:
        self._at[place.topic, place.partition] = offset

    async def getmany(self, **_: int) -> dict[TopicPartition, list[Record]]:
        found = {}
        for tp, at in self._at.items():
            rows = [r for r in self._log.records[tp] if r.offset >= at][: self._rng.randint(0, 9)]
            if rows:
                found[TopicPartition(*tp)] = rows
                self._at[tp] = rows[-1].offset + 1
        await asyncio.sleep(0)  # a real one waits for the broker
        return found


class FaultyStore(VerdictStore):
    """Some calls do not get through, of some the answer does not."""

    rng = random.Random(0)
    rate = 0.0

    async def apply(self, calls: Any, epoch: str = "0") -> list[SlotReply]:
        some: list[SlotCall] = list(calls)
        if self.rng.random() < self.rate:
            await super().apply(some[: self.rng.randrange(len(some) + 1)], epoch)
            raise Crash
        return await super().apply(some, epoch)


class Shop:
    def __init__(self, redis: Redis, keys: Keys, seed: int = 0) -> None:
        self.redis, self.keys, self.log = redis, keys, Log()
        self.rng = random.Random(seed)
        self.totals = ReviewTotals(redis, keys, SLOTS)
        self.counted: set[ReviewedItem] = set()
        self.rate = 0.0

    def counter(self) -> VerdictCounter:
        store = FaultyStore(self.redis, self.keys, SLOTS, PARTITIONS)
        store.rng, store.rate = self.rng, self.rate
        consumer: Any = Consumer(self.log, self.rng)
        fenced = FencedCounter(store, lambda: self.rng.randrange(10_000))
        return VerdictCounter(fenced, self, consumer, self.log, SLOTS, self.counted.update)

    async def positions(self) -> Fences:
        return await read_fences(self.redis, self.keys, SLOTS, list(self.log.records))

    async def before(self, tenants: Collection[str]) -> None:
        if tenants:
            await self.totals.know(tenants)

    async def drop_over(self) -> None:
        outbox = Outbox(self.redis, self.keys, SLOTS)
        await outbox.settle(await outbox.owed(list(self.log.records)))

    async def count_all(self) -> None:
        """Starts anew after each crash, until nothing is left to count."""
        while True:
            counter = self.counter()
            try:
                await counter.resume()
                idle = 0
                while idle < 20:  # the consumer shows nothing now and then
                    idle = 0 if await counter.step() else idle + 1
                return
            except Crash:
                self.rate *= 0.98

    async def sums(self) -> dict[ReviewedItem, tuple[int, int]]:
        await ItemTotals(self.redis, self.keys, SLOTS).sweep_all()
        counts = await self.totals.read(sorted(await self.totals.items()))
        return {(c.tenant, c.item_id): (c.good, c.bad) for c in counts}

    async def ledger(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for partition in (await self.positions()).partitions.values():
            assert partition.residue in (0, None)
            found.update(partition.ledger or {})
        return found


@pytest.fixture
def shop(redis: Redis, prefix: str) -> Shop:
    return Shop(redis, review_keys(prefix))


def said(review_id: str, verdict: Verdict, user: str = "ann", item: str = "mug") -> bytes:
    return msgspec.json.encode(
        ReviewVerdict(
            review_id=review_id,
            tenant="shop",
            user=user,
            item_id=item,
            verdict=verdict,
            probability=0.5,
            model_version="sentiment-v1",
            time=NOON,
        )
    )


GOOD, BAD = Verdict.GOOD, Verdict.BAD


async def test_the_first_verdict_on_a_review_counts_however_late_the_second_comes(
    shop: Shop,
) -> None:
    year_ms = int(timedelta(days=365).total_seconds() * 1000)
    shop.log.append(0, said("r-1", GOOD))
    for number in range(PARTITIONS):  # every partition has a clock: ids could be forgotten
        shop.log.append(number, said("later", GOOD, f"u-{number}", "pot"), NOON_MS + year_ms)
    await shop.count_all()
    shop.log.append(0, said("r-1", BAD), NOON_MS + 2 * year_ms)
    shop.log.append(0, said("r-1", BAD, "bob"), NOON_MS + 2 * year_ms)  # an id of another shopper
    await shop.count_all()
    assert await shop.sums() == {("shop", "mug"): (1, 1), ("shop", "pot"): (3, 0)}
    ledger = await shop.ledger()
    assert (ledger["acc"], ledger["dup"]) == (5, 1)


async def test_more_reviews_than_a_value_holds_are_known_all(shop: Shop) -> None:
    for _ in range(2):
        for number in range(100):
            shop.log.append(0, said(f"r-{number}", GOOD))
    await shop.count_all()
    assert await shop.sums() == {("shop", "mug"): (100, 0)}
    assert (await shop.ledger())["dup"] == 100


async def test_what_is_no_verdict_is_counted_as_bad_and_stops_nothing(shop: Shop) -> None:
    shop.log.append(0, b"{")
    shop.log.append(0, said("r-1", BAD))
    await shop.count_all()
    assert await shop.sums() == {("shop", "mug"): (0, 1)}
    assert (await shop.ledger())["bad"] == 1
    assert shop.counted == {("shop", "mug")}


async def test_an_erased_shoppers_verdicts_are_refused(shop: Shop) -> None:
    erased = ErasedState(shop.redis, shop.keys, SLOTS)
    shop.log.append(0, said("r-1", GOOD))
    await shop.count_all()
    await erased.set_marks({("shop", "ann"): NOON_MS + 1})
    assert await erased.remaining({("shop", "ann"): NOON_MS + 1}) == 0
    shop.log.append(0, said("r-2", GOOD))
    shop.log.append(0, said("r-3", GOOD), NOON_MS + 9)  # judged after it, written before it
    await shop.count_all()
    assert (await shop.ledger())["era"] == 2
    assert await shop.sums() == {("shop", "mug"): (1, 0)}  # an item's counts stay, as with events


async def test_to_erase_a_shopper_takes_the_ids_of_reviews_too(
    redis: Redis, prefix: str, shop: Shop
) -> None:
    everywhere = ErasedEverywhere(redis, Keys(prefix), shop.keys, SLOTS)
    marks = {("shop", "ann"): NOON_MS + 1, ("shop", "bob"): NOON_MS + 1}
    for number in range(40):  # more than the value holds
        shop.log.append(0, said(f"r-{number}", GOOD))
    await shop.count_all()
    assert await everywhere.remaining(marks) == 2
    await everywhere.set_marks(marks)
    assert await everywhere.remaining(marks) == 0
    new = msgspec.structs.replace(
        msgspec.json.decode(said("new", GOOD), type=ReviewVerdict), time=NOON + timedelta(hours=1)
    )
    shop.log.append(0, msgspec.json.encode(new), NOON_MS + 3_600_000)
    await shop.count_all()
    assert (await shop.ledger())["acc"] == 41
    assert await everywhere.remaining(marks) == 0, "what came after it is not from before it"
    await everywhere.clear(marks)
    shop.log.append(0, msgspec.json.encode(new), NOON_MS + 3_600_000)
    await shop.count_all()
    assert (await shop.ledger())["dup"] == 1, "its id was not taken"


async def test_another_epoch_and_a_log_that_lost_its_head_halt(shop: Shop) -> None:
    shop.log.append(0, said("r-1", GOOD))
    counting = asyncio.create_task(shop.counter().run())
    async with asyncio.timeout(20):
        while await shop.sums() != {("shop", "mug"): (1, 0)}:
            pass
    await bump_epoch(shop.redis, shop.keys, SLOTS)
    shop.log.append(0, said("r-2", GOOD))
    with pytest.raises(Halt, match="another epoch"):
        await counting
    await shop.count_all()
    shop.log.begins[TOPIC, 0] = 5
    with pytest.raises(Halt, match="retention"):
        await shop.counter().resume()


async def test_another_log_at_the_same_offsets_halts(shop: Shop) -> None:
    for number in range(3):
        shop.log.append(0, said(f"r-{number}", GOOD))
    await shop.count_all()
    before = shop.log
    shop.log = Log()
    for number in range(len(before.records[TOPIC, 0]) + 2):
        shop.log.append(0, said(f"new-{number}", GOOD))
    with pytest.raises(Halt, match="another record"):
        await shop.counter().resume()


@pytest.mark.parametrize("seed", range(12))
async def test_whatever_dies_in_between_counts_are_those_of_a_recount(
    redis: Redis, prefix: str, seed: int
) -> None:
    shop = Shop(redis, review_keys(prefix), seed)
    rng, wanted, first = shop.rng, Counter[tuple[str, Verdict]](), set[tuple[str, str]]()
    for _ in range(300):
        user, number = f"u-{rng.randrange(9)}", rng.randrange(12)
        verdict, item = rng.choice([GOOD, BAD]), f"i-{number % 3}"
        # A shopper's records lie on one partition.
        shop.log.append(int(user[-1]) % PARTITIONS, said(f"r-{number}", verdict, user, item))
        if (user, f"r-{number}") not in first:
            first.add((user, f"r-{number}"))
            wanted[item, verdict] += 1
    shop.rate = 0.4
    await shop.count_all()
    assert await shop.sums() == {
        ("shop", item): (wanted[item, GOOD], wanted[item, BAD]) for item in ("i-0", "i-1", "i-2")
    }
    ledger = await shop.ledger()
    assert (ledger["acc"], ledger["acc"] + ledger["dup"]) == (len(first), 300)
    assert ledger["itm"] == len(first)


async def test_counts_of_what_nobody_reviewed_are_zeros(shop: Shop) -> None:
    assert await shop.totals.read([("shop", "mug")]) == [
        ReviewCounts(tenant="shop", item_id="mug", good=0, bad=0)
    ]
    assert cast(Any, await shop.totals.items()) == set()
