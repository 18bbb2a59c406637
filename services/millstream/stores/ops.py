"""The records of a call of recs_apply_v1 as it reads them (stores/functions/millstream.lua, ARGV
11). Parsed in the function by `struct.unpack`, which costs a third of what msgpack did."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

BAD_RECORD = -1
LATE_RECORD = -2
_HOLE = -3
_LETTER = 1
_WIDE = 2
_BYTE = 256

_RECORD = Struct(">bQQ")
_HOLES = Struct(">bQQQ")
_EVENT = Struct(">bQQHBQ16sBB")
_ITEM = Struct(">IH")
_ORIGIN = Struct(">QH")

NumberedItem = tuple[int, bytes]
"""(number, id) of an item (stores/item_numbers.py)."""


def record_op(kind: int, offset: int, tenant: int | None = None) -> bytes:
    """A record that is only counted; `kind`: BAD_RECORD or LATE_RECORD; `tenant`: whose it is, by
    the tenant's place in the call."""
    return _RECORD.pack(kind, offset, 0 if tenant is None else tenant + 1)


def hole_op(offset: int, n: int) -> bytes:
    """`n` offsets from `offset` on that the log does not have."""
    return _HOLES.pack(_HOLE, offset, 0, n)


def event_op(
    place: tuple[int, int],
    kind: int,
    who: tuple[int, int],
    event: tuple[int, bytes],
    items: Iterable[NumberedItem],
    letter: tuple[int, str] | None = None,
) -> bytes:
    """`place`: offset and log ms; `who`: the shopper and the tenant by their places in the call;
    `event`: its ms and 16 bytes digest; `letter`: of a replayed dead letter its first log ms and
    place."""
    parts = [_ITEM.pack(number, len(name)) + name for number, name in items]
    high, tenant = divmod(who[1], _BYTE)
    flags = (_LETTER if letter else 0) + (_WIDE if high else 0)
    head = _EVENT.pack(kind, *place, who[0], tenant, *event, flags, len(parts))
    tail = [_origin(letter)] if letter else []
    return b"".join([head, *parts, *tail, bytes([high]) if high else b""])


def _origin(letter: tuple[int, str]) -> bytes:
    judged_ms, place = letter
    name = place.encode()
    return _ORIGIN.pack(max(0, judged_ms), len(name)) + name
