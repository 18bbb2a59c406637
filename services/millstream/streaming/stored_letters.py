"""The dead-letter topic as an operator reads it: letters by reason, place, time and tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiokafka.structs import ConsumerRecord

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError, Reason
from millstream.domain.log import Headers
from millstream.domain.replayed import Origin, read_claim, without_ours
from millstream.streaming.dead_letters import PREFIX
from millstream.streaming.followers import follow
from millstream.streaming.topics import DEAD_LETTERS, EVENTS, REVIEW_LETTERS, REVIEWS

STALLED_S = 15.0


class LettersOf(StrEnum):
    """What was refused."""

    EVENTS = "events"
    REVIEWS = "reviews"

    @property
    def source(self) -> str:
        """The topic that they go back to, without a deployment's prefix."""
        return _TOPICS[self][0]

    @property
    def letters(self) -> str:
        return _TOPICS[self][1]


_TOPICS = {
    LettersOf.EVENTS: (EVENTS, DEAD_LETTERS),
    LettersOf.REVIEWS: (REVIEWS, REVIEW_LETTERS),
}


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """`partition`, `offset`: where the letter is; `topic`, `source_partition`, `source_offset`,
    `log_ms`: where the record was that it tells of. `origin`: where that stood at first, which is
    the same place unless it was a replayed letter. `whole`: it has the record's key and value."""

    partition: int
    offset: int
    reason: str
    detail: str
    topic: str
    source_partition: int
    source_offset: int
    log_ms: int
    origin: Origin
    key: bytes | None
    value: bytes | None
    headers: Headers
    whole: bool

    @property
    def place(self) -> str:
        return f"{self.partition}:{self.offset}"

    @property
    def tenant(self) -> str | None:
        """By the record's key, `tenant:user`; None where it has none of that form."""
        tenant, colon, _ = (self.key or b"").partition(b":")
        return tenant.decode(errors="replace") if colon else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; what is None or empty bounds nothing. `since_ms`, `until_ms`: of the record's
    log time, the second exclusive. `places`: of letters, as `<partition>:<offset>`."""

    reasons: frozenset[Reason] = frozenset()
    places: frozenset[str] = frozenset()
    partition: int | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    tenant: str | None = None

    def takes(self, letter: StoredLetter) -> bool:
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.places or letter.place in self.places)
            and (self.partition is None or letter.source_partition == self.partition)
            and (self.since_ms is None or letter.log_ms >= self.since_ms)
            and (self.until_ms is None or letter.log_ms < self.until_ms)
            and (self.tenant is None or letter.tenant == self.tenant)
        )


def read_letter(record: ConsumerRecord[Any, Any]) -> StoredLetter | None:
    """None for a record that is no letter of ours."""
    ours = {
        name.removeprefix(PREFIX): (held or b"").decode(errors="replace")
        for name, held in record.headers
        if name.startswith(PREFIX)
    }
    try:
        topic, log_ms = ours["topic"], int(ours["log_ms"])
        partition, offset = int(ours["partition"]), int(ours["offset"])
        reason, detail = ours["reason"], ours["detail"]
    except (KeyError, ValueError):
        return None
    here = Origin(topic, partition, offset, log_ms)
    earlier = read_claim(f"{ours.get('origin')}:{ours.get('origin_log_ms')}".encode())
    return StoredLetter(
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        detail=detail,
        topic=topic,
        source_partition=partition,
        source_offset=offset,
        log_ms=log_ms,
        origin=earlier or here,
        key=record.key,
        value=record.value,
        headers=without_ours(tuple(record.headers)),
        whole=not {"omitted_bytes", "gone", "value_was_null"} & ours.keys(),
    )


async def read_letters(
    servers: Servers, topic: str, wanted: Wanted, take: Callable[[StoredLetter], None]
) -> int:
    """Hands over each letter that is wanted, in the order of its partition, up to the end seen at
    start; returns how many there were. Raises OperatorError where the topic can't be read."""
    read = found = 0

    def look(record: ConsumerRecord[Any, Any]) -> None:
        nonlocal read, found
        read += 1
        letter = read_letter(record)
        if letter is not None and wanted.takes(letter):
            found += 1
            take(letter)

    follower = follow(servers, topic, look)
    try:
        await follower.start()
        before = -1
        while not await follower.wait_caught_up(STALLED_S):
            if read == before:
                raise OperatorError(
                    f"the topic {topic}",
                    f"nothing more to read in {STALLED_S:.0f} s, and not its end",
                    "a topic that `millstream init` has made, on brokers that answer",
                )
            before = read
    finally:
        await follower.close()
    return found


def check_places(places: Iterable[str]) -> frozenset[str]:
    """Raises OperatorError for what is no `<partition>:<offset>`."""
    for place in places:
        partition, colon, offset = place.partition(":")
        if not (colon and partition.isdecimal() and offset.isdecimal()):
            raise OperatorError(
                "the place of a letter",
                repr(place),
                "PARTITION:OFFSET in the dead-letter topic, as `millstream dead-letters list` says",
            )
    return frozenset(places)
