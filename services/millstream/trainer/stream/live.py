"""Ours: the recommenders' own sources over state that learns, and the nearest visits beside."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from millstream.domain.deriving import USUAL, Deriving
from millstream.domain.lists import Source
from millstream.model.blend import Blend
from millstream.model.sessions.session_knn import KnnRule
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import SOURCES, propose, repeat
from millstream.ranking.candidates.source import Candidates, Context
from millstream.ranking.items import ItemTable
from millstream.ranking.rank import rank, taste_of
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper
from millstream.trainer.fit_blend import Examples, examples
from millstream.trainer.stream.learning_shop import LearningShop
from millstream.trainer.stream.proposals import Proposals, Said
from millstream.trainer.stream.rows import Row
from millstream.trainer.stream.scores import NOWHERE
from millstream.trainer.stream.taste import LivingTaste, StillTaste
from millstream.trainer.stream.visits import Visits, votes

NEIGHBOURS = "neighbours"
REPEAT = str(Source.REPEAT)
_TENANT = "default"


class Live:
    """What it answers depends on what it was given to learn, and on what the asked rows say of
    their own shoppers; never on other rows asked at the same time."""

    def __init__(
        self,
        visits: Visits,
        knn: KnnRule,
        settings: RankingSettings,
        deriving: Deriving = USUAL,
    ) -> None:
        self.taste: LivingTaste | StillTaste | None = None
        self.knn = knn
        self.visits = visits
        self.table = ItemTable()
        self._shop = LearningShop(deriving)
        self.settings = settings

    def learn(self, rows: Sequence[Row]) -> None:
        """Counts; the taste is left as it is."""
        for row in rows:
            self._shop.learn(row)
            if row.wanted:
                self.visits.learn(row.shopper, row.time_ms, self.table.of(row.wanted))

    def step(self, rows: Sequence[Row]) -> None:
        """The taste moves by gradient steps over the rows."""
        if self.taste is not None:
            self.taste.learn(rows)

    def copy(self) -> Live:
        """Learns on its own from here. Item numbers stay common."""
        other = Live(self.visits.copy(), self.knn, self.settings)
        other.taste = None if self.taste is None else self.taste.copy()
        other.table = self.table
        other._shop = self._shop.copy()
        return other

    def counting(self, deriving: Deriving, rows: Sequence[Row]) -> Live:
        """A copy whose counts are of the rows and by `deriving`."""
        other = self.copy()
        other._shop = LearningShop(deriving)
        for row in rows:
            other._shop.learn(row)
        return other

    def propose(self, rows: Sequence[Row], first: int) -> Proposals:
        """Of each source, for questions numbered from `first`. Raises RuntimeError where a source
        fails: serving would go on without it, a measurement must not."""
        shoppers = [shopper_of(row) for row in rows]
        model = None if self.taste is None else self.taste.scorer
        batch = Batch(shoppers, self.table)
        context = Context(self._shop, self.settings, taste_of(shoppers, model), rows[0].time_ms)
        found, failed = propose(batch, context)
        if failed:
            raise RuntimeError(f"sources failed: {dict(failed)}")
        told = {str(s): said(made, first) for s, made in found if s is not Source.RULE}
        return told | {NEIGHBOURS: self.neighbours(rows, first, self.knn)}

    def examples(self, rows: Sequence[Row]) -> Examples:
        """What production proposes for the rows, for a blend to learn from."""
        shoppers = [shopper_of(row) for row in rows]
        batch = Batch(shoppers, self.table)
        model = None if self.taste is None else self.taste.scorer
        context = Context(self._shop, self.settings, taste_of(shoppers, model), rows[0].time_ms)
        return examples(propose(batch, context)[0], batch, [row.wanted for row in rows])

    def repeats(self, rows: Sequence[Row], recency: float) -> Said:
        """What REPEAT proposes where an item one place earlier is proposed so much less."""
        settings = msgspec.structs.replace(self.settings, repeat_recency=recency)
        batch = Batch([shopper_of(row) for row in rows], self.table)
        context = Context(self._shop, settings, None, rows[0].time_ms)
        return said(repeat.propose(batch, context), 0)

    def neighbours(self, rows: Sequence[Row], first: int, rule: KnnRule) -> Said:
        most, parts = self.settings.candidates, []
        for number, row in enumerate(rows, first):
            query = self.table.of(touch.item_id for touch in row.recent)
            own = self.visits.current(row.shopper, row.time_ms)
            items, weights = votes(self.visits, query, own, rule)
            best = np.argsort(-weights, kind="stable")[:most]
            strengths = weights[best] / max(float(weights.max(initial=0.0)), 1e-12)
            parts.append((np.full(len(best), number), items[best], strengths))
        questions, items, strengths = (np.concatenate(c) for c in zip(*parts, strict=True))
        return Said(
            questions.astype(np.int32), items.astype(np.int32), strengths.astype(np.float32)
        )

    def listed(self, row: Row, settings: RankingSettings, blend: Blend | None = None) -> list[int]:
        """The rank of each wanted item in the list that production's `rank` makes, rules and all;
        ties against us."""
        model = None if self.taste is None else self.taste.scorer
        if model is not None:
            model.blend = blend
        made = rank([shopper_of(row)], self._shop, model, settings, row.time_ms, self.table)
        scores = {item.item_id: item.score for item in made.lists[0]}
        return [
            sum(score >= scores[item] for score in scores.values()) if item in scores else NOWHERE
            for item in row.wanted
        ]


def production_weights() -> dict[str, float]:
    """As the lists are made today; the nearest visits are not in them. No merchandiser lays down
    rules for a recording."""
    weights = RankingSettings().weights
    proposing = (source.SOURCE for source in SOURCES)
    return {str(s): weights.get(s, 0.0) for s in proposing if s is not Source.RULE}


def twice_as_long(settings: RankingSettings) -> RankingSettings:
    """So that ties at the end of a list can be counted; its first half is the same list."""
    return msgspec.structs.replace(settings, list_length=2 * settings.list_length)


def shopper_of(row: Row) -> Shopper:
    bought = frozenset(touch.item_id for touch in row.bought)
    return Shopper(_TENANT, row.shopper, row.recent, bought)


def said(made: Candidates, first: int) -> Said:
    order = np.argsort(made.shoppers, kind="stable")
    return Said(
        (made.shoppers[order] + first).astype(np.int32),
        made.items[order].astype(np.int32),
        made.strengths[order].astype(np.float32),
    )
