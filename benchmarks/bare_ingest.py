"""The baseline of `millstream bench ingest`: the least loop that counts events exactly.

Imports aiokafka, msgspec and redis beside the standard library, nothing of Millstream: it reads
all partitions without a group, decodes each record into the same fields under the same bounds,
and makes the same calls of the function `recs_apply_v2` with the same keys and arguments, one
pipelined round trip per at most `chunk_events` records of a partition. It does not rank, publish,
follow topics, derive affinities, write dead letters or survive trouble.

python benchmarks/bare_ingest.py job.json: reads up to the ends the job names, then prints one JSON
object. Exits with an error at the first record or reply that is not as it should be."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import sys
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from struct import Struct as Struct_
from typing import Annotated, TypeAlias

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from msgspec import Meta, Struct
from redis.asyncio import Redis

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"


class Job(Struct, frozen=True):
    bootstrap_servers: str
    topic: str
    ends: dict[int, int]
    """Partition -> the offset to read up to, exclusive; each reads from 0."""
    redis_url: str
    redis_prefix: str
    slots: int
    chunk_events: int
    limits: bytes
    """msgpack of [dedupe window in ms, ids per shopper, partitions], as the function takes it."""
    program: bytes
    """The features' program, as the function takes it."""
    types: tuple[str, ...]
    """Event types in the order by which stored state names them."""
    max_record_bytes: int
    horizon_ms: int
    fetch_wait_ms: int


class Used(Struct, frozen=True):
    """CPU time, user and system, from the first chunk on."""

    events: int
    cpu_s: float


Id = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=256)]
Money = Annotated[float, Meta(ge=0, le=1e12)]


class Line(Struct, frozen=True):
    item_id: Id
    quantity: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 1
    price: Money | None = None
    index: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None


class Event(Struct, frozen=True, kw_only=True):
    event_id: Id
    type: Text
    time: Annotated[datetime, Meta(tz=True)]
    tenant: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "default"
    user_id: Id | None = None
    anonymous_id: Id | None = None
    items: Annotated[tuple[Line, ...], Meta(max_length=200)] = ()
    query: Text | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None
    session_id: Id | None = None
    transaction_id: Id | None = None
    recommendation_id: Id | None = None
    context: Annotated[dict[Text, Text | int | float | bool | None], Meta(max_length=64)] = (
        msgspec.field(default_factory=dict)
    )


_decode = msgspec.json.Decoder(Event).decode
_pack = msgspec.msgpack.Encoder().encode
_EVENT = Struct_(">bQQHBQ16sBB")
_ITEM = Struct_(">IH")


class SlotBatch:
    __slots__ = ("ops", "shoppers", "tenants")

    def __init__(self) -> None:
        self.tenants: dict[str, int] = {}
        self.shoppers: dict[tuple[str, str], int] = {}
        self.ops: list[bytes] = []


class BareLoop:
    def __init__(self, job: Job, redis: Redis) -> None:
        self._job = job
        self._redis = redis
        self._kinds = {name: index for index, name in enumerate(job.types)}
        self._numbers: dict[str, int] = {}
        # Each call takes up its slot's range where the last one left it.
        self._fences = {partition: [0] * job.slots for partition in job.ends}

    async def take(self, partition: int, records: Sequence[Record]) -> None:
        events = [self._event(record) for record in records]
        await self._number({line.item_id for event in events for line in event.items})
        batches = self._by_slot(records, events)
        last = records[-1]
        to = last.offset + 1
        clock = max(record.timestamp for record in records)
        witness = f"{last.offset}:{hashlib.blake2b(last.value or b'', digest_size=8).hexdigest()}"
        field = f"0:{self._job.topic}:{partition}"
        fences = self._fences[partition]
        pipeline = self._redis.pipeline(transaction=False)
        for slot, batch in batches.items():
            keys = self._keys(slot, batch)
            pipeline.fcall(
                "recs_apply_v2",
                len(keys),
                *keys,
                *(field, "0", fences[slot], to, clock, witness),
                *(self._job.limits, self._job.program),
                _pack(list(batch.tenants)),
                len(f"{self._job.redis_prefix}u:{{{slot}}}:"),
                b"".join(batch.ops),
            )
        for slot, reply in zip(batches, await pipeline.execute(), strict=True):
            if reply[0] != b"OK":
                raise SystemExit(f"slot {slot} answered {reply[0]!r}")
            fences[slot] = to

    def _event(self, record: Record) -> Event:
        value = record.value
        if value is None or len(value) > self._job.max_record_bytes:
            raise SystemExit("a record that no event fits in")
        event = _decode(value)
        if record.timestamp - event.time.timestamp() * 1000 > self._job.horizon_ms:
            raise SystemExit("a late record")
        return event

    async def _number(self, items: Iterable[str]) -> None:
        """The numbers of items that are new here; all are of the one tenant there is."""
        unknown = [item for item in items if item not in self._numbers]
        if not unknown:
            return
        arguments = [x for item in unknown for x in (zlib.crc32(item.encode()) & 0xFFFFFFF, item)]
        key = f"{self._job.redis_prefix}items:default"
        numbers = await self._redis.fcall("recs_items_v1", 1, key, *arguments)
        self._numbers.update(zip(unknown, numbers, strict=True))

    def _by_slot(self, records: Sequence[Record], events: Sequence[Event]) -> dict[int, SlotBatch]:
        batches: dict[int, SlotBatch] = {}
        for record, event in zip(records, events, strict=True):
            tenant = event.tenant
            shopper = event.user_id if event.user_id is not None else f"~{event.anonymous_id}"
            hashed = hashlib.blake2b(f"{tenant}\n{shopper}".encode(), digest_size=8).digest()
            slot = int.from_bytes(hashed, "big") % self._job.slots
            batch = batches.get(slot)
            if batch is None:
                batch = batches[slot] = SlotBatch()
            head = _EVENT.pack(
                self._kinds[event.type],
                record.offset,
                record.timestamp,
                batch.shoppers.setdefault((tenant, shopper), len(batch.shoppers)),
                batch.tenants.setdefault(tenant, len(batch.tenants)),
                int(event.time.timestamp() * 1000),
                hashlib.blake2b(event.event_id.encode(), digest_size=16).digest(),
                0,
                len(event.items),
            )
            names = [line.item_id.encode() for line in event.items]
            items = [
                _ITEM.pack(self._numbers[line.item_id], len(name)) + name
                for line, name in zip(event.items, names, strict=True)
            ]
            batch.ops.append(head + b"".join(items))
        return batches

    def _keys(self, slot: int, batch: SlotBatch) -> list[str]:
        prefix = self._job.redis_prefix
        keys = [f"{prefix}{kind}:{{{slot}}}" for kind in "fcxqolz"]
        keys += [f"{prefix}i:{{{slot}}}:{tenant}" for tenant in batch.tenants]
        for tenant, shopper in batch.shoppers:
            keys.append(f"{prefix}u:{{{slot}}}:{tenant}:{shopper}")
            keys.append(f"{prefix}d:{{{slot}}}:{tenant}:{shopper}")
        return keys


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def ingest(job: Job) -> Used:
    redis = Redis.from_url(job.redis_url)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=job.bootstrap_servers,
        group_id=None,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=job.fetch_wait_ms,
    )
    await consumer.start()
    loop = BareLoop(job, redis)
    unread = {TopicPartition(job.topic, number): end for number, end in job.ends.items() if end}
    events, before = 0, 0.0
    try:
        consumer.assign(list(unread))
        while unread:
            fetched = await consumer.getmany(*unread, timeout_ms=1000)
            before = before or cpu_seconds()
            for tp, records in fetched.items():
                for start in range(0, len(records), job.chunk_events):
                    await loop.take(tp.partition, records[start : start + job.chunk_events])
                events += len(records)
                if records[-1].offset + 1 >= unread[tp]:
                    del unread[tp]
    finally:
        await consumer.stop()
        await redis.aclose()
    return Used(events, cpu_seconds() - before)


def main() -> None:
    job = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Job)
    used = asyncio.run(ingest(job))
    sys.stdout.buffer.write(msgspec.json.encode(used) + b"\n")


if __name__ == "__main__":
    main()
