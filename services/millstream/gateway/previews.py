"""How a shopper's list comes about: what is known, what each source adds, what rules take out."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from millstream.domain.lists import Source
from millstream.features.type_counts import TYPE_COUNTS
from millstream.gateway.browsing import Browsing, ShelfItem
from millstream.gateway.callers import Caller
from millstream.gateway.live_ranking import LiveRanking
from millstream.ranking.shop import Shopper


class Touched(Struct, frozen=True):
    item: ShelfItem
    type: str
    time_ms: int


class PreviewItem(Struct, frozen=True):
    """`parts`: what each source adds to the score; `source` is that of the greatest part."""

    item: ShelfItem
    score: float
    source: Source
    reason: str
    parts: dict[Source, float]


class TakenOut(Struct, frozen=True):
    """`rule`: of policy, which took the item out though its score had room in the list."""

    item: ShelfItem
    score: float
    rule: str


class Preview(Struct, frozen=True):
    """The list as it would be made now. `variant`: as Answer's. `recent`: newest first; `counts`:
    events by type."""

    user: str | None
    model_version: str
    variant: str
    recent: tuple[Touched, ...]
    bought: tuple[ShelfItem, ...]
    counts: dict[str, int]
    items: tuple[PreviewItem, ...]
    taken_out: tuple[TakenOut, ...]


class Previews:
    """Raises what Redis raises."""

    def __init__(self, live: LiveRanking, browsing: Browsing) -> None:
        self._live = live
        self._browsing = browsing

    async def of_user(self, caller: Caller, user: str) -> Preview:
        """`user`: the raw id, which alone the answer holds."""
        shopper = caller.shopper(user)
        asking, state = await self._live.known(caller.tenant, shopper)
        counts = {str(kind): n for kind, n in state.read(TYPE_COUNTS, 0).items() if n}
        return await self._preview(asking, user, counts)

    async def of_items(self, tenant: str, items: Sequence[str]) -> Preview:
        """Of a shopper made up, who looked at these, the newest first."""
        return await self._preview(self._live.session(tenant, items), None, {})

    async def _preview(self, asking: Shopper, user: str | None, counts: dict[str, int]) -> Preview:
        found, way = await self._live.dissect(asking)
        tenant, item = asking.tenant, self._browsing.item
        return Preview(
            user,
            way.serving.version,
            way.label,
            tuple(Touched(item(tenant, t.item_id), str(t.type), t.time_ms) for t in asking.recent),
            tuple(item(tenant, item_id) for item_id in sorted(asking.bought)),
            counts,
            tuple(
                PreviewItem(
                    item(tenant, ranked.item_id),
                    round(ranked.score, 4),
                    ranked.source,
                    ranked.reason,
                    found.parts.get(ranked.item_id, {}),
                )
                for ranked in found.items
            ),
            tuple(
                TakenOut(item(tenant, item_id), score, rule)
                for item_id, score, rule in found.removed
            ),
        )
