"""A shopper is forgotten by order of an HTTP caller; the gateway's own memory goes at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from msgspec import Struct

from millstream.domain.acceptance import Shopper
from millstream.gateway.callers import Caller
from millstream.gateway.reverse import Reverse
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.stored_lists import StoredLists
from millstream.privacy.erase import Proof
from millstream.privacy.following import ErasureFollower
from millstream.privacy.wiring import run_erase, shoppers_of

LAKE_WITHIN_S = 10.0
FOLLOW_S = 0.5


class ErasureProof(Struct, frozen=True):
    """`proof`: by place. Where `gone` is false something is left, or can't be seen from this
    gateway; what was asked for happens all the same, and asking again proves again."""

    gone: bool
    key_versions: int
    proof: dict[str, Proof]


class Erasing:
    def __init__(
        self, settings: GatewaySettings, reverse: Reverse | None, stored: StoredLists
    ) -> None:
        self._settings = settings
        self._reverse = reverse
        self._stored = stored

    async def erase(self, caller: Caller, user: str) -> ErasureProof:
        """`user`: the raw id. Takes as long as the slowest place; raises as run_erase."""
        if caller.pseudonyms is None:
            shoppers = [(caller.tenant, user)]
        else:
            shoppers = await asyncio.to_thread(shoppers_of, self._settings, caller.tenant, user)
        lake_within_s = LAKE_WITHIN_S if self._settings.gateway_lake else None
        proof = await run_erase(self._settings, shoppers, lake_within_s)
        await self._forget(shoppers)
        gone = all(place.is_gone for place in proof.values())
        return ErasureProof(gone, len(shoppers), proof)

    async def follow(self, erasures: ErasureFollower) -> None:
        """For ever: what others erase is forgotten here too. Raises what ended the follower."""
        while True:
            await self._forget(list(erasures.take_new()))
            await asyncio.sleep(FOLLOW_S)

    async def _forget(self, shoppers: Sequence[Shopper]) -> None:
        self._stored.forget(shoppers)
        if self._reverse is not None:
            await self._reverse.destroy(shoppers)
