"""The records of a call of recs_apply_v2 as it reads them (stores/functions/millstream.lua, ARGV
11). Parsed in the function by `struct.unpack`, which costs a third of what msgpack did."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

BAD_RECORD = -1
LATE_RECORD = -2
_HOLE = -3
_LETTER = 1
_WIDE = 2
_VISITOR = 4
_BYTE = 256

_RECORD = Struct(">bQQ")
_HOLES = Struct(">bQQQ")
_EVENT = Struct(">bQQHBQ16sBB")
_ITEM = Struct(">IH")
_ORIGIN = Struct(">QH")
_ID = Struct(">H")

NumberedItem = tuple[int, bytes]
"""(number, id) of an item (stores/item_numbers.py)."""


class Beside(NamedTuple):
    """What few events have: `letter`: of a replayed dead letter its first log ms and place;
    `visitor`: the anonymous id beside a user's."""

    letter: tuple[int, str] | None = None
    visitor: str | None = None


NOTHING = Beside()


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
    beside: Beside = NOTHING,
) -> bytes:
    """`place`: offset and log ms; `who`: the shopper and the tenant by their places in the call;
    `event`: its ms and 16 bytes digest."""
    parts = [_ITEM.pack(number, len(name)) + name for number, name in items]
    high, tenant = divmod(who[1], _BYTE)
    flags = _WIDE if high else 0
    tail = [bytes([high])] if high else []
    if beside.letter is not None:
        flags += _LETTER
        tail.insert(0, _origin(beside.letter))
    if beside.visitor is not None:
        flags += _VISITOR
        name = beside.visitor.encode()
        tail.append(_ID.pack(len(name)) + name)
    head = _EVENT.pack(kind, *place, who[0], tenant, *event, flags, len(parts))
    return b"".join([head, *parts, *tail])


def _origin(letter: tuple[int, str]) -> bytes:
    judged_ms, place = letter
    name = place.encode()
    return _ORIGIN.pack(max(0, judged_ms), len(name)) + name
