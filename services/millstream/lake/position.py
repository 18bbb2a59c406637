"""Whether the log still is the one that the files came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from millstream.domain.errors import Halt
from millstream.domain.log import LogRecord
from millstream.stores.lake import is_blank


class Place(Protocol):
    """aiokafka's TopicPartition."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...


def starting_offset(
    place: Place, stored: int | None, log_start: int, begin_at_log_start: bool
) -> int:
    """Where to go on: `stored` is the offset after the last one in the files, None without any.

    Raises Halt when the log starts after it: those records are gone and would be missing."""
    wanted = stored
    if wanted is None:
        wanted = log_start if begin_at_log_start else 0
    if log_start > wanted:
        remedy = (
            "set MILLSTREAM_LAKE_NEW_PARTITION_AT=log-start to begin with what is left"
            if stored is None
            else "begin another lake in an empty MILLSTREAM_LAKE_DIR"
        )
        raise Halt(
            f"topic {place.topic} partition {place.partition}: the lake needs offset {wanted} "
            f"next, but the log starts at {log_start}: retention has passed the lake. "
            f"{log_start - wanted} offsets are lost to it; {remedy}"
        )
    return wanted


@dataclass(frozen=True, slots=True)
class Witness:
    """The last record in the files; the log must begin with it when it is read from there."""

    last: LogRecord

    def check(self, records: list[LogRecord]) -> list[LogRecord]:
        """`records` without the witness. Raises Halt when the log says something else there."""
        if not records:
            return records
        if not self._fits(records[0]):
            raise Halt(
                f"topic {self.last.topic} partition {self.last.partition}: offset "
                f"{self.last.offset} of the log is not the record that the lake holds: the topic "
                "was created anew or truncated. Begin another lake in an empty MILLSTREAM_LAKE_DIR"
            )
        return records[1:]

    def _fits(self, found: LogRecord) -> bool:
        if is_blank(self.last):  # the shopper was erased: place and time are what is left
            return (found.offset, found.log_ms) == (self.last.offset, self.last.log_ms)
        return found == self.last
