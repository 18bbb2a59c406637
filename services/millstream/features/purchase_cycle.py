"""The mean time between a shopper's purchases, in ms: (last - first) / (n - 1)."""

from typing import Any

from millstream.domain.events import EventType
from millstream.features.writes import UserFeature, Write


def _read(stored: Any, _now_ms: int) -> float | None:
    if not stored or stored[2] < 2:
        return None
    first, last, n = stored
    return float((last - first) / (n - 1))


PURCHASE_CYCLE = UserFeature[float | None](
    name="purchase_cycle",
    write=Write.SPAN,
    on=frozenset({EventType.PURCHASE}),
    read=_read,
)
