"""Stage: gather what is derived across shoppers, to be written every half second.

What a crash takes from here is a little weight of a fading value; counts are not touched."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable

from millstream.counting.fenced import Recorded
from millstream.domain.deriving import USUAL, Deriving
from millstream.features.affinity_sums import AffinitySums
from millstream.stores.affinities import AffinityStore, NeighbourWrite
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.pacing import paced

HEAD_START_S = 0.001
LONGEST_PAUSES_S = 5.0
"""In one flush: under backlog what is derived is not to be older than that and the writing."""

SETTLED_LINES = 500
"""Arrays of fewer cost more to make than to go through."""

Written = Callable[[str, Iterable[str]], None]


class Deriver:
    def __init__(
        self,
        store: AffinityStore,
        numbers: ItemNumbers,
        written: Written = lambda _tenant, _items: None,
        deriving: Deriving = USUAL,
    ) -> None:
        """`written` is told the items whose neighbours have just changed."""
        self._store = store
        self._numbers = numbers
        self._written = written
        self._deriving = deriving
        self._sums = self._none_yet()
        self._tenants: set[str] = set()
        self._waiting: deque[Recorded] = deque()
        self._writes: deque[NeighbourWrite] = deque()
        self._news = asyncio.Event()

    @property
    def held(self) -> int:
        """Pairs of items that `flush` has not taken yet, without those that `run` has before it."""
        return sum(sums.pairs for sums in self._sums.values())

    def _none_yet(self) -> defaultdict[str, AffinitySums]:
        """By tenant."""
        return defaultdict(lambda: AffinitySums(self._deriving))

    def gather(self, recorded: Recorded) -> None:
        """Only takes note: `run` does the sums while the next chunk is on its way to Redis."""
        self._waiting.append(recorded)
        self._news.set()

    async def run(self) -> None:
        """Until cancelled; keeps the loop for no longer than one chunk takes."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                # A timer comes after what is ready: the next call is on its way to Redis first.
                await asyncio.sleep(HEAD_START_S)
                if self._waiting:
                    self._add_up(self._waiting.popleft())

    def _add_up(self, recorded: Recorded) -> None:
        for arrival in recorded.counted:
            event = arrival.event
            known = self._numbers.numbered(event.tenant)
            self._sums[event.tenant].note(
                event.type,
                event.time_ms,
                [known[line.item_id][0] for line in event.items if line.item_id in known],
                recorded.states[event.tenant, event.shopper].touches,
            )
        for sums in self._sums.values():
            if sums.noted >= SETTLED_LINES:
                sums.settle()

    async def flush(self, share: float = 1.0) -> None:
        """Writes what was gathered, after what a flush that was cancelled left; for `share` of the
        time until all is written (`paced`). A write that fails is given up."""
        while self._waiting:
            self._add_up(self._waiting.popleft())
        gathered, self._sums = self._sums, self._none_yet()
        unseen = gathered.keys() - self._tenants
        if unseen:
            await self._store.note_tenants(unseen)
            self._tenants |= unseen
        for tenant, sums in gathered.items():
            # Beside the loop: a backlog's flush has some hundred thousand pairs.
            near, (liked, weights) = await asyncio.to_thread(sums.added)
            self._writes += self._store.neighbour_writes(tenant, near)
            await self._add_popular(tenant, zip(liked.tolist(), weights.tolist(), strict=True))
        async for _ in paced(range(len(self._writes)), share, LONGEST_PAUSES_S):
            write = self._writes.popleft()
            await self._store.add_neighbours(write)
            self._written(write.tenant, write.items)

    async def _add_popular(self, tenant: str, weighted: Iterable[tuple[int, float]]) -> None:
        names = self._numbers.names(tenant)
        popular = {names[number]: weight for number, weight in weighted if number in names}
        if popular:
            await self._store.add_popular(tenant, popular)
