"""What is delivered of a log: one fetch's records of a partition, and where to go on; no client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.structs import ConsumerRecord

from millstream.domain.log import Partition

FETCH_WAIT_MS = 50
"""How long a broker may hold a fetch that finds nothing new. Apache Kafka answers at once when a
record comes; the embedded broker looks again only after half of it."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one fetch brought of one partition, in the order of the log; never empty."""

    topic: str
    partition: int
    records: Sequence[ConsumerRecord[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class LogBounds:
    """What the broker says of a partition at assignment."""

    log_start: int
    committed: int | None
    committed_in: str = "0"
    """The epoch in which the group committed it."""


Resume = Callable[[Mapping[Partition, LogBounds]], Awaitable[Mapping[Partition, int]]]
"""Where to go on in each assigned partition. Called after every rebalance; a call longer than
the session timeout costs the group another rebalance."""
