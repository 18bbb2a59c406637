"""The walk from poll to file, over a log that is a list and a disk that may fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from millstream.domain.log import LogRecord
from millstream.lake.buffer import Buffer, Limits
from millstream.lake.pipeline import flush, run_pipeline
from millstream.lake.settings import LakeSettings
from millstream.settings import load
from millstream.stores.lake import LakeWriter, Range, offsets, records

TOPIC = "t"
NEVER = Limits(age_ms=10**9, records=10**9, bytes=10**9)


def record(offset: int, partition: int = 0) -> LogRecord:
    return LogRecord(TOPIC, partition, offset, offset, b"k", b"value")


def file_names(root: Path) -> set[str]:
    return {path.name for path in (root / f"topic={TOPIC}" / "partition=0").iterdir()}


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

    async def join_new_partitions(self) -> Mapping[int, int]:
        joined, self._begins = self._begins, {}
        return joined

    async def poll(self) -> Mapping[int, Sequence[LogRecord]]:
        chunk = self._chunks.pop(0)
        if not self._chunks:
            self._stop.set()
        return chunk


async def test_what_was_polled_is_written_when_told_to_stop(tmp_path: Path) -> None:
    stop = asyncio.Event()
    chunks = [{0: [record(0), record(3)]}, {}, {1: [record(7, 1)], 0: [record(4)]}]
    log = ScriptedLog({0: 0, 1: 5}, chunks, stop)
    with LakeWriter(tmp_path) as lake:
        await run_pipeline(log, lake, Buffer(NEVER), lambda: 0, stop)
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
        await run_pipeline(log, lake, Buffer(every_record), lambda: 0, stop)
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
            await flush(TOPIC, buffer, lake)
    # The next process takes up what each partition lacks.
    assert offsets(tmp_path, TOPIC) == {0: 1}


def test_knobs_have_their_own_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MILLSTREAM_LAKE_FLUSH_SECONDS", "0.5")
    monkeypatch.setenv("MILLSTREAM_LAKE_DIR", str(tmp_path))
    given = load(LakeSettings, flush_records=7)
    assert (given.flush_seconds, given.flush_records, given.lake_dir) == (0.5, 7, tmp_path)
