"""START HERE. To forget a shopper, everywhere, and to prove it.

1. Count what each place holds.
2. Say it: an `erase` event on the shopper's own key, then the record on the erasures topic, which
   lakes, gateways and rebuilds go by. From here it will happen, whatever becomes of this process.
3. Set the mark in Redis; the state goes with it, and what attribution holds. What is older counts
   no more.
4. Once the shopper's slot stands past the erase event no older list can come: take the list back,
   and what a worker left in Redis that was quicker than step 3.
5. Destroy the reverse entries.
6. Ask each place until nothing is left, or its time is up.

May be repeated: it then proves again, with a later mark."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from millstream.domain.acceptance import Shopper
from millstream.domain.clock import Clock
from millstream.domain.decode import MAX_FUTURE_MS
from millstream.domain.erasures import Erasure, Marks
from millstream.privacy.announce import Announcer, SentRecord
from millstream.privacy.places import AttributionPlace, Place, ReversePlace
from millstream.stores.erasures import ErasedState

APPLIED_WITHIN_S = 5.0
_POLL_S = 0.05
_SLOWEST_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Proof:
    """Counts are None where the place can't be seen from here. `after_s`: since the request was
    durable."""

    what: str
    found_before: int | None
    found_after: int | None
    how_checked: str
    after_s: float

    @property
    def is_gone(self) -> bool:
        return self.found_after == 0


@dataclass(frozen=True, slots=True)
class Means:
    announcer: Announcer
    state: ErasedState
    attribution: AttributionPlace
    reverse: ReversePlace | None
    places: Sequence[Place]
    clock: Clock


async def erase(shoppers: Sequence[Shopper], means: Means) -> dict[str, Proof]:
    """By place its proof; a place where something is left says so. Takes as long as the slowest
    of them. Raises what the producer and Redis raise."""
    soon = dict.fromkeys(shoppers, means.clock() + MAX_FUTURE_MS)
    before = {place.name: await place.count(soon) for place in means.places}
    erasures = await means.announcer.ask(shoppers)
    since = time.monotonic()
    marks = {erasure.shopper: erasure.mark_ms for erasure in erasures}
    await means.state.set_marks(marks)
    await means.attribution.clear(marks)
    for erasure in erasures:
        means.attribution.expect(erasure.origin, await _take_back_list(erasure, means))
    await means.state.clear(marks)
    if means.reverse is not None:
        await means.reverse.destroy(shoppers)
    proofs = await asyncio.gather(
        *(_prove(place, marks, before[place.name], since) for place in means.places)
    )
    return dict(zip(before, proofs, strict=True))


async def _take_back_list(erasure: Erasure, means: Means) -> SentRecord:
    """Also where no worker has come by in time: what one still has to count is older than the
    mark, and makes no list."""
    source = (erasure.origin.topic, erasure.origin.partition)
    await _until(
        lambda: means.state.has_applied(erasure.shopper, source, erasure.origin.offset),
        APPLIED_WITHIN_S,
    )
    return await means.announcer.take_back_list(erasure)


async def _prove(place: Place, marks: Marks, before: int | None, since: float) -> Proof:
    left: int | None = None

    async def nothing_is_left() -> bool:
        nonlocal left
        left = await place.left(marks)
        return left == 0

    patience = 0.0 if before is None else place.within_s
    if not await _until(nothing_is_left, patience) and left is None:
        left = await place.count(marks) or None  # none found, but some may be on their way
    return Proof(place.what, before, left, place.how, round(time.monotonic() - since, 3))


async def _until(holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Asks again after as long as the last answer took, so that a slow one costs half at most."""
    deadline = time.monotonic() + within_s
    while True:
        asked = time.monotonic()
        if await holds():
            return True
        now = time.monotonic()
        if now >= deadline:
            return False
        await asyncio.sleep(min(max(_POLL_S, now - asked), _SLOWEST_POLL_S, deadline - now))
