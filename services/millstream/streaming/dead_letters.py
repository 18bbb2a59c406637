"""Where refused records go: unchanged, with the reason and the place they came from beside them."""

from __future__ import annotations

from typing import Protocol, cast

from millstream.domain.errors import Refused
from millstream.domain.log import Headers, LogRecord
from millstream.domain.replayed import Origin, without_ours
from millstream.streaming import telemetry

PREFIX = "millstream.error."
SUFFIX = ".dlq"

MAX_LETTER_BYTES = 2 * 1024 * 1024 - 16 * 1024
"""Of key, value and headers: the dead-letter topic's limit less what a batch puts around them."""

_HEADER_OVERHEAD = 10  # the two lengths of a header, as Kafka's variable-length numbers


class Sender(Protocol):
    """An aiokafka producer, or what a test puts in its place."""

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> object: ...


class DeadLetters:
    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def send(
        self,
        record: LogRecord,
        refused: Refused,
        origin: Origin | None = None,
        *,
        gone: bool = False,
    ) -> None:
        """Returns when the letter is durable; raises what the sender raises, and then the record
        does not count as handled. `origin`: of a replayed letter that is refused again. `gone`:
        the log has the record no longer, the letter has but its place.

        A record beyond MAX_LETTER_BYTES is reported without its content, whose size is stated."""
        value, key, headers = letter(record, refused, origin)
        if gone:
            headers = (*headers, (f"{PREFIX}gone", b"true"))
        await self._sender.send_and_wait(
            f"{record.topic}{SUFFIX}",
            value,
            key,
            # aiokafka writes a null header as it came, but its type hints know of none.
            headers=cast(list[tuple[str, bytes]], list(headers)),
        )
        telemetry.DEAD_LETTERS.labels(refused.reason.value).inc()


def letter(
    record: LogRecord, refused: Refused, origin: Origin | None = None
) -> tuple[bytes | None, bytes | None, Headers]:
    """Value, key and headers of the dead letter.

    Headers of ours that the record came with (of an earlier refusal, of a replay) give way to the
    new ones; of a replayed letter the first place is named beside the last one."""
    ours = _provenance(record, refused, origin)
    theirs = without_ours(record.headers)
    size = _size(record.key, record.value, theirs + ours)
    if size > MAX_LETTER_BYTES:
        return b"", None, (*ours, (f"{PREFIX}omitted_bytes", b"%d" % size))
    if record.key is None and record.value is None:
        # aiokafka sends no record that has neither.
        return b"", None, (*theirs, *ours, (f"{PREFIX}value_was_null", b"true"))
    return record.value, record.key, theirs + ours


def _provenance(record: LogRecord, refused: Refused, origin: Origin | None) -> Headers:
    fields: dict[str, str | int] = {
        "reason": refused.reason,
        "detail": refused.detail,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "log_ms": record.log_ms,
    }
    if origin is not None:
        fields["origin"] = origin.place
        fields["origin_log_ms"] = origin.log_ms
    return tuple((f"{PREFIX}{name}", str(value).encode()) for name, value in fields.items())


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    # A header may be null on the wire.
    parts = sum(len(name.encode()) + len(held or b"") + _HEADER_OVERHEAD for name, held in headers)
    return len(key or b"") + len(value or b"") + parts
