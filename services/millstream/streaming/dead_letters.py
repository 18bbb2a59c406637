"""Where refused records go: unchanged, with the reason and the place they came from beside them."""

from __future__ import annotations

from typing import Protocol, cast

from millstream.domain.errors import Refused
from millstream.domain.log import Headers, LogRecord

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

    async def send(self, record: LogRecord, refused: Refused) -> None:
        """Returns when the letter is durable; raises what the sender raises, and then the record
        does not count as handled.

        A record beyond MAX_LETTER_BYTES is reported without its content, whose size is stated."""
        value, key, headers = letter(record, refused)
        await self._sender.send_and_wait(
            f"{record.topic}{SUFFIX}",
            value,
            key,
            # aiokafka writes a null header as it came, but its type hints know of none.
            headers=cast(list[tuple[str, bytes]], list(headers)),
        )


def letter(record: LogRecord, refused: Refused) -> tuple[bytes | None, bytes | None, Headers]:
    """Value, key and headers of the dead letter.

    Headers of an earlier refusal (a letter that was replayed) give way to the new ones."""
    ours = _provenance(record, refused)
    theirs = tuple(header for header in record.headers if not header[0].startswith(PREFIX))
    size = _size(record.key, record.value, theirs + ours)
    if size > MAX_LETTER_BYTES:
        return b"", None, (*ours, (f"{PREFIX}omitted_bytes", b"%d" % size))
    if record.key is None and record.value is None:
        # aiokafka sends no record that has neither.
        return b"", None, (*theirs, *ours, (f"{PREFIX}value_was_null", b"true"))
    return record.value, record.key, theirs + ours


def _provenance(record: LogRecord, refused: Refused) -> Headers:
    fields = {
        "reason": refused.reason,
        "detail": refused.detail,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "log_ms": record.log_ms,
    }
    return tuple((f"{PREFIX}{name}", str(value).encode()) for name, value in fields.items())


def _size(key: bytes | None, value: bytes | None, headers: Headers) -> int:
    # A header may be null on the wire.
    parts = sum(len(name.encode()) + len(held or b"") + _HEADER_OVERHEAD for name, held in headers)
    return len(key or b"") + len(value or b"") + parts
