"""Dead letters back to the topic that they came from: signed, and only those that will count."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.acceptance import check_in_time, is_late
from millstream.domain.decode import decode
from millstream.domain.erasures import Marks, is_covered
from millstream.domain.errors import Reason, Refused
from millstream.domain.identity import record_key
from millstream.domain.log import SENT_AT, Headers, LogRecord
from millstream.domain.replayed import Origin
from millstream.streaming.replayed import signed_headers
from millstream.streaming.stored_letters import StoredLetter

ERASED = "erased"
NO_CONTENT = "no_content"
OTHER_TOPIC = "other_topic"


class Producer(Protocol):
    """An aiokafka producer."""

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> asyncio.Future[object]: ...


@dataclass(frozen=True, slots=True)
class Replay:
    """A record to be sent."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


class Prepares(Protocol):
    def prepare(self, letter: StoredLetter, mended: bytes | None = None) -> Replay:
        """`mended`: instead of the value that was refused. Raises NotSent for what would be refused
        again, or must not come back."""
        ...


class NotSent(Exception):  # noqa: N818  a verdict
    """The letter stays where it is; `reason` is a refusal's, ERASED, NO_CONTENT or OTHER_TOPIC."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Replayer:
    """`topic`: of the events. `accept_late`: letters that reached the log too late count too; to
    be told only of events that never counted, since their ids may be forgotten by now.
    `erasures`: what erased shoppers did before is not brought back."""

    topic: str
    key: Ed25519PrivateKey
    accept_late: bool = False
    erasures: Marks = field(default_factory=dict)

    def prepare(self, letter: StoredLetter, mended: bytes | None = None) -> Replay:
        """`mended`: instead of the value that was refused; it then goes to its shopper's own
        partition. Raises NotSent for what the workers would refuse again."""
        value = content_of(letter, self.topic, mended)
        if letter.reason == Reason.POISON and mended is None:
            raise NotSent(Reason.POISON)
        if any(
            is_covered(at_first(letter, body), self.erasures) for body in _harmless(letter, value)
        ):
            raise NotSent(ERASED)
        theirs = tuple(header for header in letter.headers if header[0] != SENT_AT)
        try:
            event = decode(value, theirs, letter.origin.log_ms)
            late = self.accept_late and is_late(event, letter.origin.log_ms)
            origin = Origin(
                letter.origin.topic,
                letter.origin.partition,
                letter.origin.offset,
                letter.origin.log_ms,
                accept_late=late,
            )
            check_in_time(event, letter.origin.log_ms, origin)
            key = letter.key if mended is None else record_key(event.tenant, event.shopper)
            headers = signed_headers(self.key, origin, key, value, theirs)
            decode(value, headers, origin.log_ms)  # our headers count towards the size
        except Refused as refused:
            raise NotSent(refused.reason) from None
        return Replay(self.topic, key, value, headers)


def _harmless(letter: StoredLetter, value: bytes) -> tuple[bytes | None, ...]:
    """What may be decoded of a letter and of what is to be sent in its place."""
    return (value,) if letter.reason == Reason.POISON else (letter.value, value)


def content_of(letter: StoredLetter, topic: str, mended: bytes | None) -> bytes:
    """What is to be sent to `topic`. Raises NotSent."""
    value = letter.value if mended is None else mended
    if value is None or not (letter.whole or mended is not None):
        raise NotSent(NO_CONTENT)
    if letter.topic != topic:
        raise NotSent(OTHER_TOPIC)
    return value


def at_first(letter: StoredLetter, value: bytes | None) -> LogRecord:
    """The record that was refused, with this value, where it stood at first."""
    at = letter.origin
    return LogRecord(
        at.topic, at.partition, at.offset, at.log_ms, letter.key, value, letter.headers
    )


def prepare_all(
    replayer: Prepares, letters: Sequence[StoredLetter], mended: dict[str, bytes]
) -> tuple[list[Replay], Counter[str]]:
    """What can be sent, and how many of the others there are by reason."""
    replays: list[Replay] = []
    not_sent: Counter[str] = Counter()
    for letter in letters:
        try:
            replays.append(replayer.prepare(letter, mended.get(letter.place)))
        except NotSent as why:
            not_sent[why.reason] += 1
    return replays, not_sent


async def send_all(producer: Producer, replays: Sequence[Replay], per_second: float) -> None:
    """Returns when all are durable, raises what the producer raises. Not faster than `per_second`:
    shoppers' own events go through the same workers."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    waiting = []
    for number, replay in enumerate(replays):
        await asyncio.sleep(max(0.0, began + number / per_second - loop.time()))
        waiting.append(
            await producer.send(
                replay.topic,
                replay.value,
                replay.key,
                # aiokafka writes a null header as it came, but its type hints know of none.
                headers=cast(list[tuple[str, bytes]], list(replay.headers)),
            )
        )
    await asyncio.gather(*waiting)
