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
HOLE = -3
LETTER, WIDE = 1, 2


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
            letter = None
            if flags & LETTER:
                _, size = _LETTER.unpack_from(text, at)
                letter = text[at + _LETTER.size : at + _LETTER.size + size].decode()
                at += _LETTER.size + size
            if flags & WIDE:
                tenant, at = tenant + 256 * text[at], at + 1
            yield ParsedOp(kind, offset, log_ms, shopper, tenant, event_ms, digest, items, letter)


def _items(text: bytes, at: int, n: int) -> tuple[tuple[str, ...], int]:
    found = []
    for _ in range(n):
        _, size = _ITEM.unpack_from(text, at)
        at += _ITEM.size
        found.append(text[at : at + size].decode())
        at += size
    return tuple(found), at
