"""Under which anonymous ids a shopper looked about before signing in: links, no items.

An event that bears both ids makes one. What was done under an id until then joins the shopper's
recent items wherever those are read (stores/visits.py); nothing is copied, so whoever erases the
anonymous id has erased what a link leads to."""

from typing import Any

from msgspec import Struct

from millstream.domain.events import TYPE_ORDER, EventType
from millstream.features.writes import UserFeature, Write

BOUND = 3
"""Such as a telephone, a tablet and a computer. Each is one more state to read."""


class SignIn(Struct, frozen=True, gc=False):
    """`time_ms`: of the last event that bore both ids, the whole second in which it happened."""

    anonymous_id: str
    time_ms: int


def _read(stored: Any, _now_ms: int) -> tuple[SignIn, ...]:
    return tuple(stored)


SIGN_INS = UserFeature[tuple[SignIn, ...]](
    name="sign_ins",
    write=Write.LINKS,
    on=frozenset(TYPE_ORDER) - {EventType.ERASE},
    read=_read,
    args=(BOUND,),
)
