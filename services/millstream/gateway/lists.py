"""A list as a request wants it: the stored one where that answers, else one made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from uuid_utils import uuid7

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.lists import RankedItem, Source
from millstream.features.state import ShopperState
from millstream.features.type_counts import TYPE_COUNTS
from millstream.gateway import telemetry
from millstream.gateway.answers import Answer, AnsweredItem, Explanation, RecentItem
from millstream.gateway.callers import Caller
from millstream.gateway.hot_lists import STORED_N
from millstream.gateway.live_ranking import LiveRanking, Made
from millstream.gateway.selection import Wanted, select, settings_for
from millstream.gateway.stored_lists import StoredLists
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

_IN_GENERAL = {
    Source.REPEAT: "you looked at it lately, or bought it",
    Source.COVISITED: "others took it with what you saw",
    Source.EMBEDDING: "close to your taste",
    Source.POPULAR: "popular lately",
    Source.NEW: "new in the shop",
    Source.RULE: "offered by a rule",
    Source.EXPLORE: "tried out",
}
"""Where the list is older than what is known now, which would give another reason."""


class Lists:
    """Raises what Redis raises, but for stored lists, which memory stands in for."""

    def __init__(
        self,
        stored: StoredLists,
        live: LiveRanking,
        item_of: Callable[[str, str], CatalogueItem | None],
    ) -> None:
        self._stored = stored
        self._live = live
        self._item_of = item_of

    async def of_user(self, caller: Caller, user: str, wanted: Wanted, explain: bool) -> Answer:
        """`user`: the raw id, which alone the answer holds."""
        shopper = caller.shopper(user)
        if wanted.is_plain and wanted.n <= STORED_N:
            if not explain:
                return await self._stored_answer(caller.tenant, shopper, user, wanted)
            return await self._explained(caller.tenant, shopper, user, wanted)
        asking, state = await self._live.known(caller.tenant, shopper)
        made = await self._live.rank(asking, self._settings(asking, wanted), wanted.scenario)
        about = _explanation(asking, state, made) if explain else None
        return self._answer(asking, made, wanted, user, about)

    async def of_session(self, tenant: str, items: Sequence[str], wanted: Wanted) -> Answer:
        asking = self._live.session(tenant, items)
        made = await self._live.rank(asking, self._settings(asking, wanted), wanted.scenario)
        return self._answer(asking, made, wanted, None, None)

    async def similar(self, tenant: str, item_id: str, wanted: Wanted) -> Answer:
        made = await self._live.similar(tenant, item_id)
        return self._answer(Shopper(tenant, ""), made, wanted, None, None)

    def _settings(self, asking: Shopper, wanted: Wanted) -> RankingSettings:
        return settings_for(wanted, self._live.usual(asking.tenant))

    async def _stored_answer(self, tenant: str, shopper: str, user: str, wanted: Wanted) -> Answer:
        found = await self._stored.find(tenant, shopper, STORED_N)
        kept = [item for item in found.items if item.item_id not in wanted.exclude]
        return Answer(
            recommendation_id=found.recommendation_id,
            user=user,
            model_version=found.model_version,
            variant=found.variant,
            items=tuple(
                AnsweredItem(item.item_id, item.score, item.source) for item in kept[: wanted.n]
            ),
            stale=found.stale,
        )

    async def _explained(self, tenant: str, shopper: str, user: str, wanted: Wanted) -> Answer:
        """The stored list with its reasons: the very one where what is known now still leads to
        the item in that way, else that of the source."""
        asking, state = await self._live.known(tenant, shopper)
        made = await self._live.rank(asking, self._settings(asking, wanted), wanted.scenario)
        now = {(item.item_id, item.source): item.reason for item in made.items}
        answer = await self._stored_answer(tenant, shopper, user, wanted)
        items = tuple(
            AnsweredItem(
                item.item_id,
                item.score,
                item.source,
                now.get((item.item_id, item.source), _IN_GENERAL[item.source]),
            )
            for item in answer.items
        )
        about = _explanation(asking, state, made)
        return msgspec.structs.replace(answer, items=items, explanation=about)

    def _answer(
        self,
        asking: Shopper,
        made: Made,
        wanted: Wanted,
        user: str | None,
        about: Explanation | None,
    ) -> Answer:
        telemetry.LISTS.labels("made").inc()
        chosen = select(
            made.items, wanted, asking.bought, lambda item: self._item_of(asking.tenant, item)
        )
        return Answer(
            recommendation_id=uuid7().hex,
            user=user,
            model_version=made.model_version,
            variant=made.variant,
            items=tuple(map(_answered, chosen)),
            explanation=about,
        )


def _answered(item: RankedItem) -> AnsweredItem:
    return AnsweredItem(item.item_id, round(item.score, 4), item.source, item.reason)


def _explanation(asking: Shopper, state: ShopperState, made: Made) -> Explanation:
    counts = state.read(TYPE_COUNTS, 0)
    return Explanation(
        recent=tuple(RecentItem(t.item_id, str(t.type), t.time_ms) for t in asking.recent),
        bought=tuple(sorted(asking.bought)),
        counts={str(kind): n for kind, n in counts.items()},
        removed=dict(made.removed),
    )
