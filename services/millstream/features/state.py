"""A shopper's state: one packed value, a field per feature in force."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from millstream.features.browse_count import BROWSE_COUNT
from millstream.features.decayed_counts import DECAYED_COUNTS
from millstream.features.purchase_count import PURCHASE_COUNT
from millstream.features.purchase_cycle import PURCHASE_CYCLE
from millstream.features.recent_items import BOUGHT_ITEMS, RECENT_ITEMS
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
)
"""Stored state names a feature by its place here: append only."""

PROGRAM = compile_program(USER_FEATURES)
_PLACE = {feature.name: place for place, feature in enumerate(USER_FEATURES)}
_DECODER = msgspec.msgpack.Decoder(list[Any])


class ShopperState:
    """Reads features out of the packed value; `None` is a shopper nobody has seen."""

    __slots__ = ("_fields", "_packed")

    def __init__(self, packed: bytes | None) -> None:
        self._packed = packed
        self._fields: list[Any] | None = None if packed else []

    @property
    def is_empty(self) -> bool:
        """Nobody has seen this shopper, or the shopper was erased."""
        return not self._packed

    def read(self, feature: UserFeature[T], now_ms: int) -> T:
        if self._fields is None:  # most shoppers of a chunk are never asked
            self._fields = _DECODER.decode(self._packed or b"")
        place = _PLACE[feature.name]
        stored = self._fields[place] if place < len(self._fields) else False
        return feature.read(stored, now_ms)
