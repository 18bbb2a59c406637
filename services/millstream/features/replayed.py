"""The same program in memory, for evaluation offline and as the oracle of the Redis function."""

from __future__ import annotations

from typing import Any

import msgspec

from millstream.domain.events import TYPE_INDEX, Event, EventType
from millstream.features.state import USER_FEATURES, ShopperState
from millstream.features.writes import UserFeature, Write


class ReplayedShopper:
    """One shopper's fields, written event by event in the order of the log."""

    def __init__(self) -> None:
        self._fields: list[Any] = [False] * len(USER_FEATURES)

    def apply(self, event: Event) -> None:
        if event.type is EventType.ERASE:
            self._fields = [False] * len(USER_FEATURES)
            return
        items = [line.item_id for line in event.items]
        for place, feature in enumerate(USER_FEATURES):
            if event.type in feature.on:
                self._fields[place] = _written(
                    self._fields[place], feature, TYPE_INDEX[event.type], event.time_ms, items
                )

    def packed(self) -> bytes:
        return msgspec.msgpack.encode(self._fields)

    def state(self) -> ShopperState:
        return ShopperState(self.packed())


def _written(
    stored: Any, feature: UserFeature[Any], kind: int, time_ms: int, items: list[str]
) -> Any:
    match feature.write:
        case Write.COUNT:
            return (stored or 0) + 1
        case Write.TALLY:
            tally = list(stored or [0] * 11)
            tally[kind] += 1
            return tally
        case Write.SPAN:
            first, last, n = stored or (time_ms, time_ms, 0)
            return [min(first, time_ms), max(last, time_ms), n + 1]
        case Write.DECAY:
            return _decayed(stored, time_ms, feature.args)
        case Write.RECENT:
            return _touched(stored or [0, ""], kind, time_ms, items, feature.args[0])


def _decayed(stored: Any, time_ms: int, half_lives: tuple[int, ...]) -> list[float]:
    at, *sums = stored or (time_ms, *[0.0] * len(half_lives))
    age = max(0, time_ms - at)
    return [
        max(at, time_ms),
        *(total * 2 ** (-age / life) + 1 for total, life in zip(sums, half_lives, strict=True)),
    ]


def _touched(stored: Any, kind: int, time_ms: int, items: list[str], bound: int) -> list[Any]:
    """The event's lines stand in front in their own order, then what stood before."""
    front = list(dict.fromkeys(items))[:bound]
    kept = [row for row in stored[1].split("\n")[:-1] if row.split("\t")[0] not in front]
    rows = [*(f"{item}\t{kind}\t{time_ms:x}" for item in front), *kept][:bound]
    return [len(rows), "".join(f"{row}\n" for row in rows)]
