"""A header name that is not UTF-8: the batch is unpacked all the same, each record once."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from millstream.domain.errors import Halt
from millstream.streaming.header_names import read_any_header_name
from millstream.streaming.transport.thread import ConsumerThread

BROKEN = b"\xff\xfea\xfc"


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)  # put back afterwards
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    yield
    monkeypatch.undo()


def batch(start: int, *names: bytes, compression: int = 0) -> bytes:
    """A record for each name; those of BROKEN are put in after the batch was made."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 99_999)
    for place, name in enumerate(names):
        given = "abcd" if name == BROKEN else name.decode()
        builder.append(place, 1000, b"k", b"v%d" % (start + place), [(given, b"x")])
    made = bytearray(builder.build())
    made[0:8] = start.to_bytes(8, "big")
    return bytes(made.replace(b"abcd", BROKEN))


def records(raw: bytes, offset: int = 0) -> Any:
    return fetcher.PartitionRecords(
        TopicPartition("t", 0), fetcher.MemoryRecords(raw), [], offset, None, None, False, 1
    )


def test_the_client_alone_can_not_unpack_it() -> None:
    with pytest.raises(UnicodeDecodeError):
        list(DefaultRecordBatch(batch(0, BROKEN)))


@pytest.mark.parametrize("offset", [0, 1, 3, 4, 6])
def test_every_record_from_the_offset_on_comes_once(offset: int) -> None:
    read_any_header_name()
    read_any_header_name()
    log = {1: batch(0, b"efgh", b"ijkl"), 4: batch(2, b"efgh", BROKEN, b"mnop")}
    log |= {6: batch(5, BROKEN, b"e")}
    # A broker sends from the batch on that the offset is in.
    raw = b"".join(held for last, held in log.items() if last >= offset)
    found = list(records(raw, offset))
    assert [(r.offset, r.value) for r in found] == [(n, b"v%d" % n) for n in range(offset, 7)]
    names = {r.offset: r.headers[0][0] for r in found}
    assert names[6] == "e"
    assert all(names[n] == r"\xff\xfea\xfc" for n in (3, 5) if n >= offset)
    assert all(r.headers[0][1] == b"x" for r in found)


def test_without_it_nothing_changes() -> None:
    raw = batch(0, b"efgh", "\u00e9\u00e8".encode()) + batch(2, b"ijkl")
    before = [(r.offset, r.value, r.headers) for r in records(raw)]
    read_any_header_name()
    assert [(r.offset, r.value, r.headers) for r in records(raw)] == before


async def test_what_still_can_not_be_unpacked_ends_in_a_halt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fetch(*_args: Any, **_kwargs: Any) -> Any:
        return [record.headers for record in DefaultRecordBatch(batch(0, BROKEN))]

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    app = SimpleNamespace(source="t.events", stopped_by=None)
    thread = ConsumerThread.__new__(ConsumerThread)
    monkeypatch.setattr(thread, "consumer", SimpleNamespace(app=app), raising=False)
    assigned = {TP("t.events", 2), TP("t.events", 1)}
    monkeypatch.setattr(ConsumerThread, "assignment", lambda _self: assigned)
    with pytest.raises(Halt, match=r"t\.events .*not UTF-8.*partitions 1, 2") as caught:
        await thread._fetch_records(None, set())
    assert app.stopped_by is caught.value
