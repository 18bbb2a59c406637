"""A shop whose fashion changes every day: each day other items, walked through in circles, and on
each day items that nobody has seen before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tests.builders import NOON_MS, event

from millstream.domain.events import Event, EventType
from millstream.trainer.stream.rows import Recording

DAY_MS = 86_400_000
CIRCLE = 10
_CIRCLES_A_DAY = 3
_KINDS = (EventType.VIEW_ITEM, EventType.VIEW_ITEM, EventType.ADD_TO_CART, EventType.PURCHASE)


def made_events(days: int, visits_a_day: int, seed: int) -> list[Event]:
    """In time order; half of the shoppers come back every day."""
    rng = np.random.default_rng(seed)
    events = []
    for day in range(days):
        for visit in range(visits_a_day):
            shopper = f"s{visit}" if visit % 2 else f"s{day}-{visit}"
            circle = day * _CIRCLES_A_DAY + int(rng.integers(_CIRCLES_A_DAY))
            place = int(rng.integers(CIRCLE))
            begins = NOON_MS + day * DAY_MS + visit * 600_000
            for touch in range(4):
                events.append(
                    event(
                        f"{day}-{visit}-{touch}",
                        shopper,
                        f"i{circle}-{(place + touch) % CIRCLE}",
                        kind=_KINDS[touch],
                        at_ms=begins + touch * 90_000,
                    )
                )
    return sorted(events, key=lambda each: each.time)


def made_recording(events: Sequence[Event], split: float = 0.6) -> Recording:
    return Recording("made", events, int(len(events) * split))
