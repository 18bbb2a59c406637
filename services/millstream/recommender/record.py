"""Stage: count every event exactly once, in one atomic call per state slot."""

from __future__ import annotations

from collections import defaultdict

from millstream.counting.batch import split
from millstream.counting.fenced import FencedCounter, Prepared
from millstream.domain.clock import Clock
from millstream.stores.feature_store import FeatureStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.streaming.decode import Decoded


class Recorder(FencedCounter):
    """Of events."""

    def __init__(self, store: FeatureStore, numbers: ItemNumbers, slots: int, clock: Clock) -> None:
        super().__init__(store, clock, numbers.names)
        self._numbers = numbers
        self._slots = slots

    async def prepare(self, decoded: Decoded) -> Prepared:
        """Everything that does not depend on where the slots stand. Asks Redis for the numbers of
        items that are new here."""
        numbers = self._numbers
        unknown: dict[str, list[str]] = defaultdict(list)
        for arrival in decoded.arrivals:
            event = arrival.event
            known = numbers.numbered(event.tenant)
            for line in event.items:
                if line.item_id not in known:
                    unknown[event.tenant].append(line.item_id)
        for tenant, items in unknown.items():
            await numbers.learn(tenant, items)
        return Prepared(decoded, split(decoded, self._slots, numbers.numbered, numbers.knows))
