"""A header name that the Kafka client can't read: a clear end instead of a skipped batch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from millstream.domain.errors import Halt
from millstream.streaming.transport import _ConsumerThread


def batch(name: bytes) -> bytes:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 9999)
    builder.append(0, 1000, b"k", b"v", [("abcd", b"x")])
    return bytes(builder.build()).replace(b"abcd", name)


def unpacked(name: bytes) -> list[Any]:
    return [record.headers for record in DefaultRecordBatch(batch(name))]


def test_the_client_can_not_unpack_it() -> None:
    assert unpacked(b"efgh") == [[("efgh", b"x")]]
    with pytest.raises(UnicodeDecodeError):
        unpacked(b"\xff\xfe\xfd\xfc")


async def test_it_ends_in_a_halt_that_names_the_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fetch(*_args: Any, **_kwargs: Any) -> Any:
        return unpacked(b"\xff\xfe\xfd\xfc")

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
    app = SimpleNamespace(source="t.events", stopped_by=None)
    thread = _ConsumerThread.__new__(_ConsumerThread)
    monkeypatch.setattr(thread, "consumer", SimpleNamespace(app=app), raising=False)
    assigned = {TP("t.events", 2), TP("t.events", 1)}
    monkeypatch.setattr(_ConsumerThread, "assignment", lambda _self: assigned)
    with pytest.raises(Halt, match=r"t\.events .*not UTF-8.*partitions 1, 2") as caught:
        await thread._fetch_records(None, set())
    assert app.stopped_by is caught.value
