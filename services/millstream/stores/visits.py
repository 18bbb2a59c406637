"""What shoppers did before they signed in, by the links in their states (features/sign_ins.py).

An anonymous id and a user lie in different slots, which no one call reads: so it is a read of its
own, of those who have a link."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from millstream.domain.events import shopper_of
from millstream.domain.identity import ShopperName
from millstream.features.sign_ins import SIGN_INS, SignIn
from millstream.features.state import ShopperState, Visit
from millstream.stores.item_numbers import ItemNumbers

NO_VISITS: Sequence[Visit] = ()


class States(Protocol):
    """stores/feature_store.py."""

    async def packed_states(self, names: Iterable[ShopperName]) -> dict[ShopperName, bytes]: ...


class Visits:
    def __init__(self, states: States, numbers: ItemNumbers) -> None:
        self._states = states
        self._numbers = numbers

    async def of(
        self, states: Mapping[ShopperName, ShopperState]
    ) -> Mapping[ShopperName, Sequence[Visit]]:
        """By shopper, of those with a link. One round trip where any has one, and one more where
        the items are not known here; none otherwise. Raises as calls.replies does."""
        links = {
            name: sign_ins
            for name, state in states.items()
            if (sign_ins := state.read(SIGN_INS, 0))
        }
        if not links:
            return {}
        held = await self._states.packed_states(
            visitor_of(name, link) for name, sign_ins in links.items() for link in sign_ins
        )
        await self._learn(held)
        return {
            name: [self._visit(visitor_of(name, link), link, held) for link in sign_ins]
            for name, sign_ins in links.items()
        }

    async def _learn(self, held: Mapping[ShopperName, bytes]) -> None:
        """Visitors may be another worker's, and so may the numbers of their items."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for (tenant, _), packed in held.items():
            numbers[tenant] += ShopperState(packed).item_numbers
        for tenant, found in numbers.items():
            await self._numbers.recalled(tenant, found)

    def _visit(
        self, visitor: ShopperName, link: SignIn, held: Mapping[ShopperName, bytes]
    ) -> Visit:
        return Visit(ShopperState(held[visitor], self._numbers.names(visitor[0])), link.time_ms)


def visitor_of(name: ShopperName, link: SignIn) -> ShopperName:
    return name[0], shopper_of(None, link.anonymous_id)
