"""The items a shopper touched last, newest first, each once, with the last type and time."""

from typing import Any

from msgspec import Struct

from millstream.domain.events import BROWSE, EventType
from millstream.features.writes import UserFeature, Write

BOUND = 24


class Touch(Struct, frozen=True, gc=False):
    """`time_ms`: of the whole second in which it happened."""

    item_id: str
    type: EventType
    time_ms: int


def _read(stored: Any, _now_ms: int) -> tuple[Touch, ...]:
    return tuple(stored)


RECENT_ITEMS = UserFeature[tuple[Touch, ...]](
    name="recent_items",
    write=Write.RECENT,
    on=BROWSE | {EventType.ADD_TO_WISHLIST, EventType.ADD_TO_CART, EventType.PURCHASE},
    read=_read,
    args=(BOUND,),
)

BOUGHT_ITEMS = UserFeature[tuple[Touch, ...]](
    name="bought_items",
    write=Write.RECENT,
    on=frozenset({EventType.PURCHASE}),
    read=_read,
    args=(BOUND,),
)
