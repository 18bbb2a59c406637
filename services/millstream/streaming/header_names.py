"""Headers whose names are not UTF-8, which Kafka allows and aiokafka can't unpack.

aiokafka raises in the middle of a batch, unpacks no more of it and passes over it at the next
fetch. Here such a batch is unpacked again, in Python, from where it broke off: a byte that is no
text stands in the name as `\\xff`. Batches without such a name pay next to
nothing. The members used are private: tests/unit/streaming/test_unreadable_headers.py pins them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy


def read_any_header_name() -> None:
    """For every consumer of this process from now on; may be called again."""
    fetcher.MemoryRecords = _Kept
    fetcher.PartitionRecords = _PartitionRecords


class _Kept:
    """aiokafka's records of one fetch, and the bytes that they are read from."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        records = MemoryRecords(raw)
        self.has_next = records.has_next
        self.next_batch = records.next_batch
        self.size_in_bytes = records.size_in_bytes


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    _records: Any

    def _unpack_records(self) -> Iterator[Any]:
        try:
            yield from super()._unpack_records()
        except UnicodeDecodeError:
            self._records = _Lenient(self._records.raw, self.next_fetch_offset)
            yield from super()._unpack_records()


class _Lenient(_MemoryRecordsPy):  # type: ignore[misc]
    """The batches from the one on that has `offset`: those before it were delivered."""

    def __init__(self, raw: bytes, offset: int) -> None:
        super().__init__(raw)
        self._ahead = self._next()
        while self._ahead is not None and self._ahead.next_offset <= offset:
            self._ahead = self._next()

    def has_next(self) -> bool:
        return self._ahead is not None

    def next_batch(self) -> Any:
        batch, self._ahead = self._ahead, self._next()
        return batch

    def _next(self) -> Any:
        held = self._next_slice
        batch = super().next_batch() if held is not None else None
        return _Batch(held) if isinstance(batch, DefaultRecordBatch) else batch


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]
    _buffer: Any

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        if not isinstance(self._buffer, _Text):
            self._buffer = _Text(self._buffer)


class _Text(bytes):
    """Bytes whose parts decode whatever they are."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return found if isinstance(found, int) else _Text(found)

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)
