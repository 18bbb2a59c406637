"""The mean time between purchases, in ms by whole seconds: (last - first) / (n - 1)."""

from typing import Any

from millstream.domain.events import EventType
from millstream.features.writes import UserFeature, Write


def _read(stored: Any, _now_ms: int) -> float | None:
    first, last, n = stored
    return (last - first) * 1000 / (n - 1) if n > 1 else None


PURCHASE_CYCLE = UserFeature[float | None](
    name="purchase_cycle",
    write=Write.SPAN,
    on=frozenset({EventType.PURCHASE}),
    read=_read,
)
