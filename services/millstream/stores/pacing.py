"""Many short calls that leave most of the time to others.

What writes for half a second at a stretch makes everyone's lists twice as slow meanwhile; the same
calls with pauses between them are not felt (`millstream bench latency`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import TypeVar

T = TypeVar("T")


async def paced(calls: Sequence[T], share: float, longest_s: float) -> AsyncIterator[T]:
    """The calls in turn. After each a pause, so that whoever makes them one by one is at it for
    `share` of the time; all pauses together last `longest_s` at most. A share of 1: none."""
    for call in calls:
        began = monotonic()
        yield call
        wanted = (monotonic() - began) * (1 / share - 1)
        await asyncio.sleep(min(wanted, longest_s / len(calls)))
