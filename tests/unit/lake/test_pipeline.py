"""The walk from poll to file, over a log that is a list and a disk that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.builders import NOON_MS, event

from millstream.domain.acceptance import Shopper
from millstream.domain.erasures import Marks, Read, event_of
from millstream.domain.log import LogRecord
from millstream.lake.buffer import Buffer, Limits
from millstream.lake.pipeline import flush, run_pipeline
from millstream.lake.settings import LakeSettings
from millstream.settings import load
from millstream.stores.lake import LakeWriter, Range, forget, offsets, read_accepted, records

TOPIC = "t"
NEVER = Limits(age_ms=10**9, records=10**9, bytes=10**9)


def record(offset: int, partition: int = 0) -> LogRecord:
    return LogRecord(TOPIC, partition, offset, offset, b"k", b"value")


def file_names(root: Path) -> set[str]:
    return {path.name for path in (root / f"topic={TOPIC}" / "partition=0").iterdir()}


class ScriptedErasures:
    """Each step is what has come by then; the last one stays in force."""

    def __init__(self, *steps: dict[Shopper, int]) -> None:
        self._steps = list(steps)
        self._marks: dict[Shopper, int] = {}

    @property
    def marks(self) -> Marks:
        return self._marks

    def take_new(self) -> Marks:
        new = self._steps.pop(0) if self._steps else {}
        self._marks |= new
        return new


class ScriptedLog:
    """Hands out chunk after chunk and sets `stop` with the last one."""

    topic = TOPIC

    def __init__(
        self,
        begins: Mapping[int, int],
        chunks: Sequence[Mapping[int, Sequence[LogRecord]]],
        stop: asyncio.Event,
    ) -> None:
        self._begins = dict(begins)
        self._chunks = list(chunks)
        self._stop = stop
        self.read: Read = event_of

    async def join_new_partitions(self) -> Mapping[int, int]:
        joined, self._begins = self._begins, {}
        return joined

    async def poll(self) -> Mapping[int, Sequence[LogRecord]]:
        chunk = self._chunks.pop(0)
        if not self._chunks:
            self._stop.set()
        return chunk

    def behind(self) -> Mapping[int, int]:
        return {}


async def test_what_was_polled_is_written_when_told_to_stop(tmp_path: Path) -> None:
    stop = asyncio.Event()
    chunks = [{0: [record(0), record(3)]}, {}, {1: [record(7, 1)], 0: [record(4)]}]
    log = ScriptedLog({0: 0, 1: 5}, chunks, stop)
    with LakeWriter(tmp_path) as lake:
        await run_pipeline(log, lake, Buffer(NEVER), ScriptedErasures(), lambda: 0, stop)
    assert offsets(tmp_path, TOPIC) == {0: 5, 1: 8}
    assert [(r.partition, r.offset) for r in records(tmp_path, TOPIC)] == [
        (0, 0),
        (0, 3),
        (0, 4),
        (1, 7),
    ]
    assert file_names(tmp_path) == {Range(0, 5).file_name}


async def test_ranges_join_over_many_flushes_and_files_stay_few(tmp_path: Path) -> None:
    stop = asyncio.Event()
    log = ScriptedLog({0: 0}, [{0: [record(offset)]} for offset in range(100)], stop)
    every_record = Limits(age_ms=10**9, records=1, bytes=10**9)
    with LakeWriter(tmp_path) as lake:
        buffer = Buffer(every_record)
        await run_pipeline(log, lake, buffer, ScriptedErasures(), lambda: 0, stop)
    assert [r.offset for r in records(tmp_path, TOPIC)] == list(range(100))
    assert len(file_names(tmp_path)) < 20


@pytest.mark.parametrize(
    "limits",
    [
        Limits(age_ms=1000, records=10**9, bytes=10**9),
        Limits(age_ms=10**9, records=2, bytes=10**9),
        Limits(age_ms=10**9, records=10**9, bytes=300),
    ],
)
def test_each_limit_makes_it_due(limits: Limits) -> None:
    buffer = Buffer(limits)
    buffer.begin(0, 0)
    assert not buffer.due(10**9), "an empty buffer is never due"
    buffer.add({0: [record(0)]}, 5000)
    assert not buffer.due(5999)
    buffer.add({0: [record(1)]}, 6000)
    assert buffer.due(6000)
    assert [cut.span for cut in buffer.cut()] == [Range(0, 2)]
    assert not buffer.due(10**9)


async def test_a_full_disk_stops_the_lake_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = Buffer(NEVER)
    buffer.begin(0, 0)
    buffer.begin(1, 0)
    buffer.add({0: [record(0)], 1: [record(0, 1)]}, 0)
    with LakeWriter(tmp_path) as lake:
        write = lake.write

        def full_for_one(topic: str, partition: int, *rest: object) -> Path:
            if partition == 1:
                raise OSError(28, "No space left on device")
            return write(topic, partition, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(lake, "write", full_for_one)
        with pytest.raises(OSError, match="No space"):
            await flush(ScriptedLog({}, [], asyncio.Event()), buffer, lake, {})
    # The next process takes up what each partition lacks.
    assert offsets(tmp_path, TOPIC) == {0: 1}


def said(offset: int, user: str, at_ms: int) -> LogRecord:
    value = msgspec.json.encode(event(f"e{offset}", user, at_ms=NOON_MS + at_ms))
    return LogRecord(TOPIC, 0, offset, NOON_MS + offset, f"default:{user}".encode(), value)


async def test_the_erased_leave_files_buffer_and_what_is_still_to_come(tmp_path: Path) -> None:
    """In a file, waiting in the buffer, and late from a shop: before the mark all are gone; other
    shoppers', and what came after it, stay."""
    stop = asyncio.Event()
    chunks = [
        {0: [said(0, "ann", 0), said(1, "bob", 1)]},  # written before the request
        {0: [said(2, "ann", 2), said(3, "bob", 3)]},  # polled before it, written after
        {0: [said(4, "ann", 2), said(5, "ann", 5)]},  # a late retry, and a new beginning
    ]
    log = ScriptedLog({0: 0}, chunks, stop)
    erasures = ScriptedErasures({}, {("default", "ann"): NOON_MS + 4})
    two_records = Limits(age_ms=10**9, records=2, bytes=10**9)
    with LakeWriter(tmp_path) as lake:
        await run_pipeline(log, lake, Buffer(two_records), erasures, lambda: 0, stop)
    assert [r.offset for r in records(tmp_path, TOPIC)] == [1, 3, 5]
    assert offsets(tmp_path, TOPIC) == {0: 6}
    assert read_accepted(tmp_path, TOPIC, "default")["event_id"].to_list() == ["e1", "e3", "e5"]


async def test_the_next_start_does_not_go_through_all_files_again(tmp_path: Path) -> None:
    marks = {("default", "ann"): NOON_MS + 4}
    for chunk in ([said(0, "ann", 0)], [said(1, "ann", 1), said(2, "bob", 2)]):
        stop = asyncio.Event()
        log = ScriptedLog({0: chunk[0].offset}, [{}, {0: chunk}], stop)
        with LakeWriter(tmp_path) as lake:
            await run_pipeline(log, lake, Buffer(NEVER), ScriptedErasures(marks), lambda: 0, stop)
    assert [r.offset for r in records(tmp_path, TOPIC)] == [2], "known marks hold from the start"
    with LakeWriter(tmp_path) as lake:
        assert forget(lake, TOPIC, marks).erasures == 0


def test_knobs_have_their_own_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLSTREAM_LAKE_FLUSH_SECONDS", "0.5")
    monkeypatch.setenv("MILLSTREAM_LAKE_DIR", str(tmp_path))
    given = load(LakeSettings, flush_records=7)
    assert (given.flush_seconds, given.flush_records, given.lake_dir) == (0.5, 7, tmp_path)
