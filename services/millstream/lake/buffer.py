"""Records on their way from the log to a file, and when they are due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from millstream.domain.log import LogRecord
from millstream.stores.lake import Range

# What a record costs beside its value: the object and its numbers.
_OVERHEAD_BYTES = 200


@dataclass(frozen=True, slots=True)
class Limits:
    age_ms: int
    records: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The records of `[span.start, span.stop)`, ready to become one file."""

    partition: int
    span: Range
    records: Sequence[LogRecord]


class Buffer:
    """Knows for each partition where the next range starts: where the last one ended."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._next: dict[int, int] = {}
        self._waiting: dict[int, list[LogRecord]] = {}
        self._bytes = 0
        self._since_ms: int | None = None

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def begin(self, partition: int, offset: int) -> None:
        """The partition's first range starts at `offset`."""
        self._next[partition] = offset

    def add(self, chunk: Mapping[int, Sequence[LogRecord]], now_ms: int) -> None:
        for partition, records in chunk.items():
            self._waiting.setdefault(partition, []).extend(records)
            self._bytes += sum(len(r.value or b"") + _OVERHEAD_BYTES for r in records)
            if records and self._since_ms is None:
                self._since_ms = now_ms

    def due(self, now_ms: int) -> bool:
        return self._since_ms is not None and (
            now_ms - self._since_ms >= self._limits.age_ms
            or self._bytes >= self._limits.bytes
            or len(self) >= self._limits.records
        )

    def cut(self) -> Iterator[Cut]:
        """Everything that waits, one range a partition. A range counts as written when the next
        is asked for: after a failed write its records are in the log, not here."""
        for partition, records in sorted(self._waiting.items()):
            if records:
                span = Range(self._next[partition], records[-1].offset + 1)
                yield Cut(partition, span, records)
                self._next[partition] = span.stop
        self._waiting.clear()
        self._bytes = 0
        self._since_ms = None
