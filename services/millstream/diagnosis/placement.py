"""Keys: whether every producer puts a shopper's events where the others do; pure.

Java's producer, aiokafka and librdkafka with `partitioner=murmur2_random` agree; librdkafka's own
default does not, and a shopper's events then lie on two partitions, in no order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiokafka.partitioner import murmur2

from millstream.diagnosis.check import Check, Verdict

NAME = "keys of events"
_REMEDY = (
    "Find the producer that hashes keys otherwise: librdkafka needs partitioner=murmur2_random, "
    "and every event the key tenant:user"
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A record of the events topic, as far as its place is concerned."""

    partition: int
    key: bytes | None
    log_ms: int


def murmur2_partition(key: bytes, partitions: int) -> int:
    """Where the Java client's default partitioner puts a record with this key."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def placement_check(sample: Iterable[Placed], partitions: int) -> Check:
    records = list(sample)
    if not records:
        return Check(NAME, Verdict.OK, "no records yet to tell from")
    keyless = sum(record.key is None for record in records)
    astray = sum(
        record.key is not None and murmur2_partition(record.key, partitions) != record.partition
        for record in records
    )
    if keyless or astray:
        found = f"of {len(records)} records {astray} on another partition than murmur2 chooses"
        return Check(NAME, Verdict.BAD, f"{found}, {keyless} without a key", _REMEDY)
    return Check(NAME, Verdict.OK, f"{len(records)} records where murmur2 puts them")
