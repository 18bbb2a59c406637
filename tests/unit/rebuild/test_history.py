"""What a partition's records come as: lake before log, no offset twice or left out, none of the
partitions far ahead of another."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.builders import NOON_MS, TOPIC, record

from millstream.domain.log import LogRecord
from millstream.rebuild import history
from millstream.rebuild.history import History, NoLog, Portion
from millstream.rebuild.pace import LEAD_MS, Pace
from millstream.rebuild.plan import Span
from millstream.stores.lake import LakeDamaged, LakeWriter, Range, blanked
from millstream.stores.lake.ranges import partition_dir
from millstream.streaming.decode import Record

CONTEXT = multiprocessing.get_context("spawn")


def stored(offset: int, partition: int = 0, log_ms: int = NOON_MS) -> LogRecord:
    return LogRecord(TOPIC, partition, offset, log_ms, b"k", b"%d" % offset, (("h", None),))


def write(root: Path, records: Sequence[LogRecord], start: int, stop: int) -> None:
    with LakeWriter(root) as lake:
        lake.write(TOPIC, records[0].partition, Range(start, stop), records)


class KeptLog:
    """Records of each partition from the offset where the lake ends."""

    def __init__(self, records: Mapping[int, list[Record]]) -> None:
        self.left = dict(records)
        self.asked: list[list[int]] = []

    async def fetch(self, ready: Sequence[int], most: int) -> Mapping[int, Sequence[Record]]:
        self.asked.append(list(ready))
        found = {p: self.left[p][:most] for p in ready if self.left[p]}
        for partition, records in found.items():
            self.left[partition] = self.left[partition][len(records) :]
        return found

    def is_read(self, partition: int) -> bool:
        return not self.left[partition]


async def read(root: Path, spans: Sequence[Span], log: history.Log) -> list[Portion]:
    """As a pipeline does: what was handed out is counted before the next is asked for."""
    pace = Pace(CONTEXT, len(spans))
    pace.begin(span.partition for span in spans)
    found: list[Portion] = []
    async for portions in History(root, TOPIC, spans, log, pace).portions():
        for portion in portions:
            clock = max((r.timestamp for r in portion.records), default=0)
            pace.note(portion.partition, clock, portion.to - portion.start)
        found += portions
    assert pace.done == sum(portion.to - portion.start for portion in found)
    return found


def offsets(portions: Sequence[Portion], partition: int = 0) -> list[int]:
    return [r.offset for p in portions if p.partition == partition for r in p.records]


def assert_gapless(portions: Sequence[Portion], span: Span) -> None:
    at = span.start
    for portion in portions:
        if portion.partition == span.partition:
            assert portion.start == at
            at = portion.to
    assert at == span.end


async def test_the_lake_then_the_log(tmp_path: Path) -> None:
    write(tmp_path, [stored(n) for n in range(4)], 0, 4)
    write(tmp_path, [stored(n) for n in range(4, 8)], 4, 8)
    log = KeptLog({0: [record(b"%d" % n, n) for n in range(6, 10)]})
    span = Span(0, start=2, lake_to=6, end=10)
    found = await read(tmp_path, [span], log)
    assert offsets(found) == list(range(2, 10))
    assert_gapless(found, span)
    first = found[0].records[0]
    assert (first.topic, first.value, first.key, first.timestamp) == (TOPIC, b"2", b"k", NOON_MS)
    assert first.headers == (("h", None),)


async def test_records_that_were_forgotten_are_holes_also_at_the_end(tmp_path: Path) -> None:
    gone = [stored(0), blanked(stored(1)), stored(2), blanked(stored(3)), blanked(stored(4))]
    write(tmp_path, gone, 0, 5)
    span = Span(0, start=0, lake_to=5, end=5)
    found = await read(tmp_path, [span], NoLog())
    assert offsets(found) == [0, 2]
    assert (found[-1].start, found[-1].to, len(found[-1].records)) == (3, 5, 0)
    assert_gapless(found, span)


async def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write(tmp_path, [stored(n) for n in range(4)], 0, 4)
    write(tmp_path, [stored(n) for n in range(4, 8)], 4, 8)
    damaged = partition_dir(tmp_path, TOPIC, 0) / Range(4, 8).file_name
    damaged.write_bytes(damaged.read_bytes()[:-40])
    with pytest.raises(LakeDamaged, match=damaged.name):
        await read(tmp_path, [Span(0, start=0, lake_to=8, end=8)], NoLog())


async def test_no_partition_runs_ahead_in_log_time(tmp_path: Path) -> None:
    slow = [record(b"", n, log_ms=NOON_MS + n * LEAD_MS // 2, partition=0) for n in range(20)]
    fast = [record(b"", n, log_ms=NOON_MS + n * LEAD_MS * 2, partition=1) for n in range(5)]

    class OneByOne(KeptLog):
        async def fetch(self, ready: Sequence[int], most: int) -> Mapping[int, Sequence[Record]]:
            return await super().fetch(ready, min(most, 1))

    log = OneByOne({0: slow, 1: fast})
    found = await read(tmp_path, [Span(0, 0, 0, 20), Span(1, 0, 0, 5)], log)
    assert offsets(found, 0) == list(range(20))
    assert offsets(found, 1) == list(range(5))
    clocks = {0: 0, 1: 0}
    for portion in found:
        others = clocks[1 - portion.partition]
        ended = len(portion.records) and others in (slow[-1].timestamp, fast[-1].timestamp)
        assert ended or clocks[portion.partition] <= others + LEAD_MS
        clocks[portion.partition] = portion.records[-1].timestamp
    assert [0] in log.asked, "the fast one never had to wait"
