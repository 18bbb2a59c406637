"""A shopper's state: one packed value, a field per feature in force."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from millstream.features.browse_count import BROWSE_COUNT
from millstream.features.decayed_counts import DECAYED_COUNTS
from millstream.features.layout import TOUCH, Layout, Names
from millstream.features.purchase_count import PURCHASE_COUNT
from millstream.features.purchase_cycle import PURCHASE_CYCLE
from millstream.features.recent_items import BOUGHT_ITEMS, RECENT_ITEMS
from millstream.features.sign_ins import SIGN_INS
from millstream.features.type_counts import TYPE_COUNTS
from millstream.features.writes import UserFeature, compile_program

T = TypeVar("T")

USER_FEATURES: tuple[UserFeature[Any], ...] = (
    PURCHASE_COUNT,
    BROWSE_COUNT,
    TYPE_COUNTS,
    PURCHASE_CYCLE,
    DECAYED_COUNTS,
    RECENT_ITEMS,
    BOUGHT_ITEMS,
    SIGN_INS,
)
"""Stored state knows a feature by its place here: append only."""

PROGRAM = compile_program(USER_FEATURES)
LAYOUT = Layout(USER_FEATURES)
NAMELESS: Names = MappingProxyType(dict[int, str]())
_PLACE: Mapping[str, int] = {feature.name: place for place, feature in enumerate(USER_FEATURES)}


class ShopperState:
    """Reads features out of the packed value; `None` is a shopper nobody has seen. Of items those
    that `names` knows are told."""

    __slots__ = ("_names", "_packed")

    def __init__(self, packed: bytes | None, names: Names = NAMELESS) -> None:
        self._packed = packed or b""
        self._names = names

    @property
    def is_empty(self) -> bool:
        """Nobody has seen this shopper, or the shopper was erased."""
        return not self._packed

    def read(self, feature: UserFeature[T], now_ms: int) -> T:
        return feature.read(LAYOUT.read(self._packed, _PLACE[feature.name], self._names), now_ms)

    @property
    def touches(self) -> bytes:
        """RECENT_ITEMS as it lies in the state (features/layout.py), without their number."""
        return LAYOUT.cells(self._packed, _PLACE[RECENT_ITEMS.name])

    @property
    def item_numbers(self) -> list[int]:
        """Of all items in it."""
        held = self.touches + LAYOUT.cells(self._packed, _PLACE[BOUGHT_ITEMS.name])
        return [head >> 4 for head, _ in TOUCH.iter_unpack(held)]


class Visit(NamedTuple):
    """What was done under an anonymous id, and until when that was the shopper (ms)."""

    state: ShopperState
    until_ms: int
