"""The list that shoppers would be shown: the recommenders' own ranking around the new model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event, EventType, Line
from millstream.features.recent_items import Touch
from millstream.model.scorer import Scorer
from millstream.ranking.rank import rank
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper
from millstream.trainer.split import Query

_MAX_LINES = 200_000
"""The newest lines that the shop is rebuilt from, which takes some 10 s: older ones have faded
from what is derived."""


class RankedLists:
    """Implements evaluate.WholeList. The shop stands still while the lists are asked for, as the
    baselines do. `catalogue` is asked once per version, for what the shop sells now."""

    def __init__(
        self,
        tenant: str,
        settings: RankingSettings,
        catalogue: Callable[[], Mapping[str, CatalogueItem]],
    ) -> None:
        self._tenant = tenant
        self._settings = settings
        self._catalogue = catalogue

    def __call__(
        self, before: pl.DataFrame, queries: Sequence[Query], scorer: Scorer
    ) -> Sequence[Sequence[str]]:
        shop = ReplayedShop(self._catalogue())
        for event in _events(before.tail(_MAX_LINES)):
            shop.learn(event)
        now_ms = int(before["time_ms"][-1])
        ranked = rank(
            [self._shopper(query) for query in queries], shop, scorer, self._settings, now_ms
        )
        return [[item.item_id for item in line] for line in ranked.lists]

    def _shopper(self, query: Query) -> Shopper:
        touches = tuple(Touch(item, EventType(kind), ms) for item, kind, ms in query.recent)
        bought = frozenset(t.item_id for t in touches if t.type is EventType.PURCHASE)
        return Shopper(self._tenant, query.user, touches, bought)


def _events(lines: pl.DataFrame) -> Iterator[Event]:
    """The events behind the lines, in order of time."""
    grouped = lines.group_by("event_id", maintain_order=True).agg(
        pl.col("user", "type", "time_ms").first(), pl.col("item")
    )
    for event_id, user, kind, time_ms, items in grouped.rows():
        anonymous = user.startswith("~")
        yield Event(
            event_id=event_id,
            type=EventType(kind),
            time=datetime.fromtimestamp(time_ms / 1000, UTC),
            user_id=None if anonymous else user,
            anonymous_id=user[1:] if anonymous else None,
            items=tuple(Line(item) for item in items),
        )
