"""A shopper's events over the last hour, day, week and month, fading by half in that time.

The sum of 2^(-(now - t) / half-life) over the events; derived, so approximate by design: an
event older than the newest one fades to the newest one's time."""

from typing import Any

from millstream.domain.events import TYPE_ORDER, EventType
from millstream.features.writes import UserFeature, Write

HOUR_MS = 3_600_000
HALF_LIVES_MS = (HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, 30 * 24 * HOUR_MS)


def _read(stored: Any, now_ms: int) -> tuple[float, ...]:
    age = max(0, now_ms - stored[0] * 1000)
    return tuple(
        value * 2 ** (-age / half_life)
        for value, half_life in zip(stored[1:], HALF_LIVES_MS, strict=True)
    )


DECAYED_COUNTS = UserFeature[tuple[float, ...]](
    name="decayed_counts",
    write=Write.DECAY,
    on=frozenset(TYPE_ORDER) - {EventType.ERASE},
    read=_read,
    args=HALF_LIVES_MS,
)
