"""How many events of each type a shopper sent. Exact."""

from typing import Any

from millstream.domain.events import TYPE_ORDER, EventType
from millstream.features.writes import UserFeature, Write


def _read(stored: Any, _now_ms: int) -> dict[EventType, int]:
    return {kind: int(n) for kind, n in zip(TYPE_ORDER, stored, strict=False) if n}


TYPE_COUNTS = UserFeature[dict[EventType, int]](
    name="type_counts",
    write=Write.TALLY,
    on=frozenset(TYPE_ORDER) - {EventType.ERASE},
    read=_read,
)
