"""A dead letter that an operator sends again: the place that it came from, claimed in headers.

Kafka does not tell a consumer who wrote a record. So a claim counts only with a signature by the
operator's key over the claim and the record's content; without one the record is judged as any
other, as if it had no claim. Pure: signing and checking are in streaming/replayed.py."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from millstream.domain.log import Headers

NAMESPACE = "millstream."
"""Headers of ours begin so: a letter's reason (`millstream.error.`) and a replay's origin."""

ORIGIN = "millstream.replay.origin"
SIGNATURE = "millstream.replay.signature"

_PURPOSE = b"millstream replayed letter, version 1\n"
"""The key signs other things too: no signature of one kind stands for another."""

_ACCEPT_LATE = "accept-late"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a letter's record first stood, and its log time there (ms)."""

    topic: str
    partition: int
    offset: int
    log_ms: int
    accept_late: bool = False

    @property
    def place(self) -> str:
        """The id under which a letter is counted once, however often it is sent."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    def claim(self) -> bytes:
        """As it stands in the header ORIGIN: `<topic>:<partition>:<offset>:<log ms>`, and
        `:accept-late` if so. Topics have no colon."""
        late = f":{_ACCEPT_LATE}" if self.accept_late else ""
        return f"{self.place}:{self.log_ms}{late}".encode()


OriginOf = Callable[[str, bytes | None, bytes | None, Headers], Origin | None]
"""(topic, key, value, headers) of a record to the origin that it may claim, or None."""


def no_origin(_topic: str, _key: bytes | None, _value: bytes | None, _headers: Headers) -> None:
    """For those who were given no key to check a claim with: every record is a plain one."""


def read_claim(content: bytes) -> Origin | None:
    """None for what `Origin.claim` did not write."""
    try:
        topic, partition, offset, log_ms, *late = content.decode("ascii").split(":")
        origin = Origin(topic, int(partition), int(offset), int(log_ms), late == [_ACCEPT_LATE])
    except ValueError:
        return None
    return origin if origin.claim() == content else None


def to_sign(claim: bytes, key: bytes | None, value: bytes | None, headers: Headers) -> bytes:
    """What the signature covers: the claim and a digest of key, value and the other headers, in
    which a CloudEvent may carry its id and type. Headers of ours are left out."""
    digest = hashlib.sha256()
    theirs = [held for name_and_held in without_ours(headers) for held in name_and_held]
    for part in (key, value, *theirs):
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        # A length before each part, and -1 for none: no two records have the same bytes here.
        digest.update(b"%d:" % (-1 if content is None else len(content)))
        digest.update(content or b"")
    return _PURPOSE + claim + b"\n" + digest.hexdigest().encode()


def without_ours(headers: Headers) -> Headers:
    return tuple(header for header in headers if not header[0].startswith(NAMESPACE))
