"""From the records of a chunk to events; what is none goes to the dead-letter topic first."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from aiokafka.structs import ConsumerRecord
from msgspec import Struct

from millstream.domain.acceptance import check_in_time
from millstream.domain.decode import decode
from millstream.domain.document import MAX_EXACT_INT
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import Event
from millstream.domain.identity import tenant_in
from millstream.domain.log import LogRecord, Partition
from millstream.domain.replayed import Origin, OriginOf, no_origin, read_claim
from millstream.streaming.dead_letters import DeadLetters

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"


class Arrival(Struct, frozen=True, gc=False):  # one per event: four times quicker than a dataclass
    """An event at its place in the log. `headers` are the record's own.

    `letter`: of a replayed dead letter that the operator signed, the place of the original
    record, `<topic>:<partition>:<offset>`; `judged_ms` is then the original's log time, and means
    nothing otherwise."""

    offset: int
    log_ms: int
    event: Event
    headers: tuple[tuple[str, bytes], ...]
    partition: int
    letter: str | None = None
    judged_ms: int = 0

    @property
    def origin(self) -> Origin | None:
        return read_claim(f"{self.letter}:{self.judged_ms}".encode()) if self.letter else None


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that became a dead letter. `tenant`: whose it is, as its key says."""

    offset: int
    log_ms: int
    reason: Reason
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class Hole:
    """`n` offsets from `offset` on that the log does not have."""

    offset: int
    n: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """The range [start, to) of one partition; every offset of it is in `arrivals`, `letters` or
    `holes`, each in the order of the log. `witness` names the last record, so that a log that was
    cut or made anew is noticed."""

    topic: str
    partition: int
    start: int
    to: int
    clock_ms: int
    witness: str
    arrivals: Sequence[Arrival]
    letters: Sequence[Letter]
    holes: Sequence[Hole] = ()


async def decode_records(
    topic: str,
    partition: int,
    records: Sequence[Record],
    dead_letters: DeadLetters,
    origin_of: OriginOf = no_origin,
    start: int | None = None,
) -> Decoded:
    """`records`: not empty, offsets rising; the range begins at `start`, or else at the first of
    them: what no record stands for is a hole. Returns when every letter is durable; raises what
    the producer raises, and then nothing of the range counts as handled. `origin_of` says which
    record is a replayed letter: it is judged by the log time that it had at first."""
    arrivals: list[Arrival] = []
    refused: list[tuple[Record, Refused, Origin | None]] = []
    for record in records:
        origin = _origin(record, origin_of) if record.headers else None
        try:
            arrivals.append(_arrival(record) if origin is None else _replayed(record, origin))
        except Refused as why:
            refused.append((record, why, origin))
    if refused:
        await asyncio.gather(
            *(dead_letters.send(as_log_record(r), why, origin) for r, why, origin in refused)
        )
    letters = [Letter(r.offset, r.timestamp, why.reason, tenant_in(r.key)) for r, why, _ in refused]
    begin = records[0].offset if start is None else start
    return whole_range((topic, partition), begin, records, arrivals, letters)


def whole_range(
    source: Partition,
    begin: int,
    records: Sequence[Record],
    arrivals: Sequence[Arrival],
    letters: Sequence[Letter],
) -> Decoded:
    """From `begin` to the last of `records`, each of which is in `arrivals` or `letters`."""
    last = records[-1]
    return Decoded(
        *source,
        begin,
        last.offset + 1,
        min(max(0, *(record.timestamp for record in records)), MAX_EXACT_INT - 1),
        witness_of(last),
        arrivals,
        letters,
        list(_holes(begin, records)),
    )


def judge(record: Record, origin_of: OriginOf) -> Arrival:
    """What `decode_records` does to each record. Raises Refused."""
    origin = _origin(record, origin_of) if record.headers else None
    return _arrival(record) if origin is None else _replayed(record, origin)


def _holes(expected: int, records: Sequence[Record]) -> Iterator[Hole]:
    if records[-1].offset + 1 - expected == len(records):
        return
    for record in records:
        if record.offset > expected:
            yield Hole(expected, record.offset - expected)
        expected = record.offset + 1


def _arrival(record: Record) -> Arrival:
    event = decode(record.value, record.headers, record.timestamp)
    check_in_time(event, record.timestamp)
    return Arrival(record.offset, max(0, record.timestamp), event, record.headers, record.partition)


def _origin(record: Record, origin_of: OriginOf) -> Origin | None:
    return origin_of(record.topic, record.key, record.value, tuple(record.headers))


def _replayed(record: Record, origin: Origin) -> Arrival:
    event = decode(record.value, record.headers, origin.log_ms)
    check_in_time(event, record.timestamp, origin)
    return Arrival(
        record.offset,
        max(0, record.timestamp),
        event,
        record.headers,
        record.partition,
        origin.place,
        origin.log_ms,
    )


def as_log_record(record: Record) -> LogRecord:
    return LogRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )


def witness_of(record: Record) -> str:
    """`<offset>:<16 hex digits>` of what the record holds."""
    digest = hashlib.blake2b(record.value or b"", digest_size=8)
    return f"{record.offset}:{digest.hexdigest()}"
