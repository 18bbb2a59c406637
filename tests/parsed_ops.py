"""The ops of a call, read as the Redis function reads them: for stores in memory."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

_RECORD = Struct(">bQQ")
_EVENT = Struct(">HBQ16sBB")
_ITEM = Struct(">IH")
_LETTER = Struct(">QH")
_HOLES = Struct(">Q")
_ID = Struct(">H")
HOLE = -3
LETTER, WIDE, VISITOR = 1, 2, 4


class ParsedOp(NamedTuple):
    kind: int
    offset: int
    log_ms: int
    shopper: int = 0
    tenant: int = 0
    event_ms: int = 0
    digest: bytes = b""
    items: tuple[str, ...] = ()
    letter: str | None = None
    holes: int = 0
    visitor: str | None = None


def parse_ops(text: bytes) -> Iterator[ParsedOp]:
    at = 0
    while at < len(text):
        kind, offset, log_ms = _RECORD.unpack_from(text, at)
        at += _RECORD.size
        if kind == HOLE:
            (n,) = _HOLES.unpack_from(text, at)
            at += _HOLES.size
            yield ParsedOp(kind, offset, log_ms, holes=n)
        elif kind < 0:
            yield ParsedOp(kind, offset, log_ms)
        else:
            shopper, tenant, event_ms, digest, flags, n = _EVENT.unpack_from(text, at)
            items, at = _items(text, at + _EVENT.size, n)
            letter = visitor = None
            if flags & LETTER:
                letter, at = _text(text, at, _LETTER)
            if flags & WIDE:
                tenant, at = tenant + 256 * text[at], at + 1
            if flags & VISITOR:
                visitor, at = _text(text, at, _ID)
            who = (shopper, tenant, event_ms, digest, items, letter)
            yield ParsedOp(kind, offset, log_ms, *who, visitor=visitor)


def _text(text: bytes, at: int, head: Struct) -> tuple[str, int]:
    """What follows a head that ends with its size in bytes."""
    start, size = at + head.size, head.unpack_from(text, at)[-1]
    return text[start : start + size].decode(), start + size


def _items(text: bytes, at: int, n: int) -> tuple[tuple[str, ...], int]:
    found = []
    for _ in range(n):
        _, size = _ITEM.unpack_from(text, at)
        at += _ITEM.size
        found.append(text[at : at + size].decode())
        at += size
    return tuple(found), at
