"""What a shopper looked at before signing in, by the anonymous id that their events bear beside
their own.

It is read for the list at hand and written nowhere: counts stay with the shopper to whom they were
counted, an erased visitor has nothing to read, and a state that another worker is about to change
costs a list some of its touches, no count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

from millstream.domain.events import Event
from millstream.domain.identity import ShopperName
from millstream.features.state import ShopperState
from millstream.ranking.shop import Shopper
from millstream.stores.item_numbers import ItemNumbers


class States(Protocol):
    """stores/feature_store.py."""

    async def packed_states(self, names: Iterable[ShopperName]) -> dict[ShopperName, bytes]: ...


class SignIns:
    def __init__(self, states: States, numbers: ItemNumbers) -> None:
        self._states = states
        self._numbers = numbers

    async def joined(
        self, shoppers: Mapping[ShopperName, Shopper], events: Mapping[ShopperName, Event]
    ) -> dict[ShopperName, Shopper]:
        """The same shoppers, each with what was looked at under the anonymous id of its event. One
        round trip where an event bears both ids, and one more where the visitor's items are not
        known here; none otherwise."""
        visitors = {
            name: (name[0], f"~{event.anonymous_id}")
            for name in shoppers
            if (event := events[name]).user_id is not None and event.anonymous_id is not None
        }
        if not visitors:
            return dict(shoppers)
        held = await self._states.packed_states(visitors.values())
        await self._learn(held)
        return {
            name: shopper.joined_by(self._visitor(visitors[name], held, events[name].time_ms))
            if name in visitors
            else shopper
            for name, shopper in shoppers.items()
        }

    async def _learn(self, held: Mapping[ShopperName, bytes]) -> None:
        """Visitors may be another worker's, and so may the numbers of their items."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for (tenant, _), packed in held.items():
            numbers[tenant] += ShopperState(packed).item_numbers
        for tenant, found in numbers.items():
            await self._numbers.recalled(tenant, found)

    def _visitor(
        self, name: ShopperName, held: Mapping[ShopperName, bytes], now_ms: int
    ) -> Shopper:
        state = ShopperState(held[name], self._numbers.names(name[0]))
        return Shopper.from_state(*name, state, now_ms)
