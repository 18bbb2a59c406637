"""The same program in memory, for evaluation offline and as the oracle of the Redis function."""

from __future__ import annotations

from struct import Struct
from typing import Any

from millstream.domain.events import TYPE_INDEX, TYPE_ORDER, Event, EventType
from millstream.features.layout import MAX_SECONDS, pack_all
from millstream.features.state import USER_FEATURES, ShopperState
from millstream.features.writes import UserFeature, Write

_F32 = Struct(">f")


class ItemNumbers:
    """Numbers items in the order of their coming; `names`: number -> id."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def number(self, item_id: str) -> int:
        known = self._numbers.setdefault(item_id, len(self._numbers))
        self.names[known] = item_id
        return known


class ReplayedShopper:
    """One shopper's fields, written event by event in the order of the log."""

    def __init__(self, numbers: ItemNumbers | None = None) -> None:
        self._numbers = numbers or ItemNumbers()
        self._fields = [_unwritten(feature) for feature in USER_FEATURES]
        self._seen = False

    def apply(self, event: Event) -> None:
        if event.type is EventType.ERASE:
            self._fields = [_unwritten(feature) for feature in USER_FEATURES]
            self._seen = False
            return
        self._seen = True
        kind, seconds = TYPE_INDEX[event.type], min(event.time_ms // 1000, MAX_SECONDS)
        items = [self._numbers.number(line.item_id) for line in event.items]
        for place, feature in enumerate(USER_FEATURES):
            if event.type not in feature.on:
                continue
            if feature.write is not Write.LINKS:
                _write(self._fields[place], feature, kind, seconds, items)
            elif (visitor := event.signed_in_from) is not None:
                _link(self._fields[place], visitor, seconds, feature.args[0])

    def packed(self) -> bytes:
        """As Redis holds it; empty for a shopper who has done nothing since the last erase."""
        if not self._seen:
            return b""
        return pack_all(USER_FEATURES, self._fields)

    def state(self) -> ShopperState:
        return ShopperState(self.packed(), self._numbers.names)


def _unwritten(feature: UserFeature[Any]) -> list[Any]:
    sizes = {Write.COUNT: 1, Write.TALLY: len(TYPE_ORDER), Write.SPAN: 3}
    sizes |= {Write.RECENT: 0, Write.LINKS: 0}
    return [0] * sizes.get(feature.write, 1 + len(feature.args))


def _write(
    field: list[Any], feature: UserFeature[Any], kind: int, seconds: int, items: list[int]
) -> None:
    match feature.write:
        case Write.COUNT:
            field[0] += 1
        case Write.TALLY:
            field[kind] += 1
        case Write.SPAN:
            first, last, n = field
            field[:] = [min(first, seconds) if n else seconds, max(last, seconds), n + 1]
        case Write.DECAY:
            _decay(field, seconds, feature.args)
        case Write.RECENT:
            front = list(dict.fromkeys(items))
            kept = [row for row in field if row[0] >> 4 not in front]
            touched = [(number << 4 | kind, seconds) for number in front]
            field[:] = [*touched, *kept][: feature.args[0]]


def _link(field: list[Any], visitor: str, seconds: int, bound: int) -> None:
    latest = max([seconds, *(held for name, held in field if name == visitor)])
    others = [row for row in field if row[0] != visitor]
    field[:] = [(visitor, latest), *others][:bound]


def _decay(field: list[Any], seconds: int, half_lives: tuple[int, ...]) -> None:
    age = max(0, seconds - field[0]) * 1000
    field[1:] = [
        _single(total * 2 ** (-age / life) + 1)
        for total, life in zip(field[1:], half_lives, strict=True)
    ]
    field[0] = max(field[0], seconds)


def _single(value: float) -> float:
    """Rounded as the state holds it."""
    rounded: float = _F32.unpack(_F32.pack(value))[0]
    return rounded
