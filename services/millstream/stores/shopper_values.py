"""The value of a shopper's key: event ids of the dedupe window, then the packed fields.

One byte: how many ids stand here, plus SPILLED where older ones stand in a ZSET; 20 bytes an id,
its digest and its log time in seconds; then the fields (features/layout.py). Only recs_apply_v2
writes it."""

from __future__ import annotations

from struct import Struct

_ID = Struct(">16sI")
SPILLED = 128
MAX_INLINE = 32


def fields_of(value: bytes | None) -> bytes:
    """Empty for a shopper who was erased or never seen."""
    return value[_ids_end(value) :] if value else b""


def ids_of(value: bytes | None) -> dict[bytes, int]:
    """Digest -> log time in seconds, rounded up; of those that stand in the value."""
    return dict(_ID.iter_unpack(value[1 : _ids_end(value)])) if value else {}


def _ids_end(value: bytes) -> int:
    return 1 + _ID.size * (value[0] % SPILLED)
