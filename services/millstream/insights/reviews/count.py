"""Verdicts to exact counts of each item, by the fenced call of events (docs/exactness.md).

One range of each partition at a time: what came since the last look is decoded, counted in one
atomic call per slot, and only then is the next read. The position is what the fences say, and a
second process that counts the same changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from millstream.counting.batch import SlotBatch, slot_of_place
from millstream.counting.fenced import FencedCounter, FenceMoved, Prepared
from millstream.counting.guard import Standing
from millstream.domain.errors import Halt, Refused
from millstream.domain.failpoints import failpoint
from millstream.domain.identity import event_digest, slot_of
from millstream.domain.log import Partition
from millstream.domain.reviews import VERDICT_ORDER, ReviewVerdict, decode_verdict
from millstream.insights import telemetry
from millstream.insights.reviews.following import MAX_REWINDS, dense
from millstream.insights.reviews.lag import Reached
from millstream.stores.fences import Fences
from millstream.stores.ops import event_op
from millstream.stores.verdict_store import ReviewedItem
from millstream.streaming import witness
from millstream.streaming.cursor import Cursor, Jumped
from millstream.streaming.decode import Decoded, Hole, Letter, Record, whole_range

POLL_MS = 200
AT_ONCE = 2_000
"""Records of a fetch: each slot gets an eighth of a thousand of them in a call."""
_KIND = {verdict: kind for kind, verdict in enumerate(VERDICT_ORDER)}
_NO_NUMBER = 0  # of an item: no field of a shopper's state holds one

log = structlog.get_logger()


class Log(witness.Log, Protocol):
    """As streaming.probe.LogReader."""

    async def first_offset(self, source: Partition, offset: int) -> int | None: ...


class Store(Protocol):
    """What Redis is asked for beside the call."""

    async def positions(self) -> Fences:
        """Of every partition, once the marks of erased shoppers stand; raises Halt or OperatorError
        where nothing may be counted."""
        ...

    async def before(self, tenants: Collection[str]) -> None:
        """Before a range with verdicts of these tenants counts, and before each look at the log:
        what has to hold, or be told."""
        ...

    async def drop_over(self) -> None:
        """What is owed for shoppers with too many ids: nothing, the log line told it."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """A range of the log, and its verdicts: offset, log ms, verdict."""

    decoded: Decoded
    verdicts: Sequence[tuple[int, int, ReviewVerdict]]


class VerdictCounter:
    """`consumer` has started, commits and resets nothing; it belongs to the caller. `counted` is
    called with the items whose counts may have changed."""

    def __init__(
        self,
        counter: FencedCounter,
        store: Store,
        consumer: AIOKafkaConsumer,
        probe: Log,
        slots: int,
        counted: Callable[[Collection[ReviewedItem]], None],
    ) -> None:
        self.epoch = "0"
        self._counter = counter
        self._store = store
        self._consumer = consumer
        self._probe = probe
        self._slots = slots
        self._counted = counted
        self._cursors: dict[Partition, Cursor] = {}
        self._handled_ms: dict[Partition, int] = {}

    is_full = False
    """Nothing waits but for Redis (counting.guard.Watched)."""

    def standing(self) -> dict[Partition, Standing]:
        return {tp: Standing(at.expected, at.witness) for tp, at in self._cursors.items()}

    def reached(self) -> Mapping[Partition, Reached]:
        return {
            tp: Reached(cursor.expected, self._handled_ms.get(tp))
            for tp, cursor in self._cursors.items()
        }

    async def run(self) -> None:
        """For ever. Raises Halt."""
        rewinds = 0
        while True:
            try:
                await self.resume()
                while True:
                    if await self.step():
                        rewinds = 0
            except (FenceMoved, Jumped) as moved:
                rewinds += 1
                if rewinds > MAX_REWINDS:
                    raise Halt(
                        f"went back {MAX_REWINDS} times and got no further: {moved}. "
                        "See deploy/runbooks/slots-behind.md"
                    ) from moved
                log.warning("going back", why=str(moved))

    async def resume(self) -> None:
        """To where the slowest slot of each partition stands. Raises Halt where the log no longer
        has what a slot needs, or is not the one that was counted."""
        fences = await self._store.positions()
        self.epoch = fences.epoch
        found = fences.partitions
        starts = await self._starts(list(found))
        for tp, partition in found.items():
            if partition.lowest < starts[tp]:
                raise witness.past_retention(tp, starts[tp], partition.lowest)
        witnesses = {tp: witness.readable(found[tp].witnesses, starts[tp]) for tp in found}
        await witness.verify(self._probe, witnesses)
        await self._store.drop_over()
        self._counter.resume({tp: found[tp].per_slot for tp in found}, fences.epoch)
        self._cursors = {
            tp: Cursor(
                expected=found[tp].lowest,
                publish_from=0,
                witness=witnesses[tp][-1] if witnesses[tp] else "",
            )
            for tp in found
        }
        self._consumer.assign([TopicPartition(*tp) for tp in found])
        for tp, cursor in self._cursors.items():
            self._consumer.seek(TopicPartition(*tp), cursor.expected)

    async def step(self) -> int:
        """Counts what has come within POLL_MS; how many records it was."""
        await self._store.before(())
        try:
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=AT_ONCE)
        except OffsetOutOfRangeError as error:
            raise Halt(_out_of_range(error.args[0])) from None
        taken = [
            one
            for place, records in fetched.items()
            if (one := await self._take((place.topic, place.partition), records)) is not None
        ]
        if not taken:
            await self._counter.advance_idle()
            return 0
        verdicts = [verdict for one in taken for _, _, verdict in one.verdicts]
        await self._store.before({verdict.tenant for verdict in verdicts})
        failpoint("before-verdict-call")
        prepared = [Prepared(one.decoded, split(one, self._slots)) for one in taken]
        recorded = await self._counter.record(prepared)
        failpoint("after-verdict-call")
        for one in taken:
            decoded = one.decoded
            cursor = self._cursors[decoded.topic, decoded.partition]
            cursor.advance(decoded.to)
            cursor.witness = decoded.witness
            self._handled_ms[decoded.topic, decoded.partition] = decoded.clock_ms
        self._counted({(verdict.tenant, verdict.item_id) for verdict in verdicts})
        for letter, n in recorded.verdicts.items():
            telemetry.VERDICTS.labels(letter).inc(n)
        if recorded.verdicts["o"]:
            log.warning("shoppers have too many reviews", number=recorded.verdicts["o"])
            await self._store.drop_over()
        return sum(one.decoded.to - one.decoded.start for one in taken)

    async def _take(self, source: Partition, records: Sequence[Any]) -> Taken | None:
        cursor = self._cursors[source]
        fresh = await dense(cursor, source, records, self._probe)
        return decode(source, cursor.taken, fresh) if fresh else None

    async def _starts(self, partitions: list[Partition]) -> dict[Partition, int]:
        for _ in range(witness.LOOKS):
            starts = await self._probe.starts(partitions)
            if starts is not None:
                return starts
        raise Halt("the broker does not say where its partitions begin")


def decode(source: Partition, begin: int, records: Sequence[Record]) -> Taken:
    """Nobody but insights writes verdicts: a record that is none stays where it is, counted as
    `bad` and logged by its place."""
    verdicts: list[tuple[int, int, ReviewVerdict]] = []
    letters: list[Letter] = []
    for record in records:
        log_ms = max(0, record.timestamp)
        try:
            verdicts.append((record.offset, log_ms, decode_verdict(record.value)))
        except Refused as why:
            letters.append(Letter(record.offset, log_ms, why.reason))
            place = {"partition": source[1], "offset": record.offset}
            log.warning("a record that is no verdict", reason=why.reason.value, **place)
    return Taken(whole_range(source, begin, records, (), letters), verdicts)


def split(taken: Taken, slots: int) -> dict[int, SlotBatch]:
    """What each slot gets of it, in the order of the log."""
    batches: defaultdict[int, SlotBatch] = defaultdict(SlotBatch)
    decoded = taken.decoded
    unjudged: list[Letter | Hole] = [*decoded.letters, *decoded.holes]
    others = {what.offset: what for what in unjudged}
    judged = {offset: (log_ms, said) for offset, log_ms, said in taken.verdicts}
    for offset in sorted([*others, *judged]):
        if offset in others:
            batches[slot_of_place(decoded, offset, slots)].add_other(others[offset])
            continue
        log_ms, said = judged[offset]
        name = (said.tenant, said.user)
        batch = batches[slot_of(*name, slots)]
        when = (said.time_ms, event_digest(said.review_id))
        item = (_NO_NUMBER, said.item_id.encode())
        kind = _KIND[said.verdict]
        batch.add_op(event_op((offset, log_ms), kind, batch.who(name), when, [item]))
    return batches


def _out_of_range(asked: Mapping[TopicPartition, int]) -> str:
    places = ", ".join(f"{p.topic} partition {p.partition} at {at}" for p, at in asked.items())
    return (
        f"the log does not have the offset that is next ({places}): the topic was made anew or "
        "lost records. See deploy/runbooks/topic-recreated-or-truncated.md"
    )
