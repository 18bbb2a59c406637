"""The list that shoppers would be shown: the recommenders' own ranking around the new model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec
import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.deriving import USUAL, Deriving
from millstream.domain.events import Event, EventType, Line
from millstream.model.scorer import Scorer
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import propose
from millstream.ranking.candidates.source import Context
from millstream.ranking.items import ItemTable
from millstream.ranking.rank import rank, taste_of
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper
from millstream.trainer.fit_blend import Examples, examples
from millstream.trainer.split import Query

_MAX_LINES = 200_000
"""The newest lines that the shop is rebuilt from, which takes some 10 s: older ones have faded
from what is derived."""

_LATEST_MS = 253_402_300_799_000
"""In UTC; an event's time may tell more, in a zone that is behind."""


class WholeLists(Protocol):
    """What shoppers would really be shown: candidates, score and policy around a model."""

    def standing(self, before: pl.DataFrame) -> Lists:
        """The shop as `before` made it: (n, 6) user, event_id, type, item, weight, time_ms, all
        that it knew when the queries' part began; what a shopper did since is in the query. Takes
        seconds. Several models may be asked for their lists in it."""
        ...


class Lists(Protocol):
    def __call__(self, queries: Sequence[Query], scorer: Scorer, /) -> Sequence[Sequence[str]]:
        """For each query the list standing at `at_ms`, likeliest first, as item ids. Pure; may
        take seconds."""
        ...

    def bounded(self, popular_places: int, /) -> Lists:
        """In the same shop, with at most so many of the best sellers in a list."""
        ...

    def learn(self, lines: pl.DataFrame, /) -> None:
        """`lines` (n, 6) happen to the shop."""
        ...

    def examples(self, queries: Sequence[Query], scorer: Scorer, /) -> Examples:
        """What is proposed for the queries, for a blend to learn from."""
        ...


@dataclass(frozen=True)
class StandingShop:
    """Implements Lists."""

    tenant: str
    shop: ReplayedShop
    settings: RankingSettings
    now_ms: int

    def __call__(self, queries: Sequence[Query], scorer: Scorer) -> Sequence[Sequence[str]]:
        shoppers = [self._shopper(query) for query in queries]
        ranked = rank(shoppers, self.shop, scorer, self.settings, self.now_ms)
        return [[item.item_id for item in line] for line in ranked.lists]

    def bounded(self, popular_places: int) -> StandingShop:
        settings = msgspec.structs.replace(self.settings, popular_places=popular_places)
        return replace(self, settings=settings)

    def learn(self, lines: pl.DataFrame) -> None:
        for event in _events(lines):
            self.shop.learn(event)

    def examples(self, queries: Sequence[Query], scorer: Scorer) -> Examples:
        shoppers = [self._shopper(query) for query in queries]
        batch = Batch(shoppers, ItemTable())
        taste = taste_of(shoppers, scorer)
        proposed, _ = propose(batch, Context(self.shop, self.settings, taste, self.now_ms))
        return examples(proposed, batch, [query.wanted for query in queries])

    def _shopper(self, query: Query) -> Shopper:
        touches = query.touches
        bought = frozenset(t.item_id for t in touches if t.type is EventType.PURCHASE)
        return Shopper(self.tenant, query.user, touches, bought)


class RankedLists:
    """Implements WholeLists. The shop stands still while the lists are asked for, as the
    baselines do. `catalogue` is asked once per shop, for what it sells now."""

    def __init__(
        self,
        tenant: str,
        settings: RankingSettings,
        catalogue: Callable[[], Mapping[str, CatalogueItem]],
        deriving: Deriving = USUAL,
    ) -> None:
        self._tenant = tenant
        self._settings = settings
        self._catalogue = catalogue
        self._deriving = deriving

    def standing(self, before: pl.DataFrame) -> StandingShop:
        shop = ReplayedShop(self._catalogue(), self._deriving)
        standing = StandingShop(self._tenant, shop, self._settings, int(before["time_ms"][-1]))
        standing.learn(before.tail(_MAX_LINES))
        return standing


def _events(lines: pl.DataFrame) -> Iterator[Event]:
    """The events behind the lines, in order of time. Two shoppers may use the same event id, and
    one may use it again days later."""
    one = ("event_id", "user", "type", "time_ms")
    grouped = lines.group_by(one, maintain_order=True).agg("item")
    for event_id, user, kind, time_ms, items in grouped.rows():
        anonymous = user.startswith("~")
        yield Event(
            event_id=event_id,
            type=EventType(kind),
            time=as_datetime(min(time_ms, _LATEST_MS)),
            user_id=None if anonymous else user,
            anonymous_id=user[1:] if anonymous else None,
            items=tuple(Line(item) for item in items),
        )
