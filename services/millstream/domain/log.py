"""A record as the log holds it, before anyone has judged it."""

from __future__ import annotations

from dataclasses import dataclass

Partition = tuple[str, int]
"""(topic, partition number)."""

Headers = tuple[tuple[str, bytes | None], ...]
"""Kafka lets the value of a header be null."""

SENT_AT = "sent_at"
"""Header with the sender's wall clock at first send, in milliseconds as ASCII digits: latency is
measured from it, since event and log time are old ones in a replay."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    topic: str
    partition: int
    offset: int
    log_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
