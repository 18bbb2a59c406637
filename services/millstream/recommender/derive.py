"""Stage: gather what is derived across shoppers, to be written every half second.

What a crash takes from here is a little weight of a fading value; counts are not touched."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

from millstream.features import covisitation, popularity
from millstream.features.forward_decay import log_add
from millstream.features.recent_items import RECENT_ITEMS, Touch
from millstream.features.state import ShopperState
from millstream.recommender.record import Recorded
from millstream.stores.affinities import AffinityStore
from millstream.streaming.decode import Arrival

HEAD_START_S = 0.001

Sums = dict[str, float]
Written = Callable[[str, Iterable[str]], None]


class Deriver:
    def __init__(
        self, store: AffinityStore, written: Written = lambda _tenant, _items: None
    ) -> None:
        """`written` is told the items whose neighbours have just changed."""
        self._store = store
        self._written = written
        self._neighbours: dict[str, dict[str, Sums]] = defaultdict(lambda: defaultdict(dict))
        self._popular: dict[str, Sums] = defaultdict(dict)
        self._tenants: set[str] = set()
        self._waiting: deque[Recorded] = deque()
        self._news = asyncio.Event()

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
            state = recorded.states[event.tenant, event.shopper]
            neighbours, popular = self._neighbours[event.tenant], self._popular[event.tenant]
            for item, other, weight in covisitation.writes(event, _before(arrival, state)):
                _add(neighbours[item], other, weight)
            for item, weight in popularity.writes(event):
                _add(popular, item, weight)

    async def flush(self) -> None:
        """Writes what was gathered; what could not be written is given up."""
        while self._waiting:
            self._add_up(self._waiting.popleft())
        neighbours, self._neighbours = self._neighbours, defaultdict(lambda: defaultdict(dict))
        popular, self._popular = self._popular, defaultdict(dict)
        unseen = popular.keys() - self._tenants
        if unseen:
            await self._store.note_tenants(unseen)
            self._tenants |= unseen
        for tenant, items in neighbours.items():
            if items:
                await self._store.add_neighbours(tenant, items)
                if self._written is not None:
                    self._written(tenant, items)
        for tenant, sums in popular.items():
            if sums:
                await self._store.add_popular(tenant, sums)


def _before(arrival: Arrival, state: ShopperState) -> Sequence[Touch]:
    """The recent items before the event: those the state, which is as of the end of the chunk,
    holds from an earlier second."""
    second_ms = arrival.event.time_ms // 1000 * 1000
    touches = state.read(RECENT_ITEMS, arrival.log_ms)
    return [touch for touch in touches if touch.time_ms < second_ms]


def _add(sums: Sums, key: str, weight: float) -> None:
    sums[key] = log_add(sums[key], weight) if key in sums else weight
