"""What counts alone propose, by other half-lives: cheap enough to try many of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from millstream.domain.deriving import DAY_MS, Deriving
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import covisited, popular
from millstream.ranking.candidates.source import Context
from millstream.ranking.items import ItemTable
from millstream.ranking.settings import RankingSettings
from millstream.trainer.stream.learning_shop import LearningShop
from millstream.trainer.stream.live import said, shopper_of
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.proposals import Proposals
from millstream.trainer.stream.replay import FRESH, STATIC, Cadence, replay
from millstream.trainer.stream.rows import Row

HALF_LIVES_DAYS = (1, 3, 7, 14, 90)
"""Tried beside the usual one."""
BASKET_SHARINGS = (0.5, 1.0)
"""Tried beside none."""


class Derived:
    """Implements `Learner` by the sources that read faded sums."""

    def __init__(self, deriving: Deriving, settings: RankingSettings, table: ItemTable) -> None:
        self._shop, self._settings, self._table = LearningShop(deriving), settings, table

    def learn(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._shop.learn(row)

    def step(self, rows: Sequence[Row]) -> None:
        """There is no taste."""

    def propose(self, rows: Sequence[Row], first: int) -> Proposals:
        batch = Batch([shopper_of(row) for row in rows], self._table)
        context = Context(self._shop, self._settings, None, rows[0].time_ms)
        made = ((source.SOURCE, source.propose(batch, context)) for source in (covisited, popular))
        return {str(source): said(candidates, first) for source, candidates in made}


Faded = Mapping[Cadence, Mapping[float, Proposals]]


def faded(parts: Parts, usual: Deriving, settings: RankingSettings, table: ItemTable) -> Faded:
    """By cadence and half-life in ms, the usual one left out, what is proposed on the held-out
    part. Blocks for a minute or two."""
    found: dict[Cadence, dict[float, Proposals]] = {STATIC: {}, FRESH: {}}
    for half_life_ms in (days * DAY_MS for days in HALF_LIVES_DAYS):
        derived = Derived(Deriving(usual.weights, half_life_ms, half_life_ms), settings, table)
        derived.learn(parts.before)
        for cadence in (STATIC, FRESH):  # in this order: the first learns nothing
            found[cadence][half_life_ms] = replay(
                derived, parts.held_out, cadence, parts.min_earlier
            )
    return found


def shared(
    parts: Parts, deriving: Deriving, cadence: Cadence, settings: RankingSettings, table: ItemTable
) -> Mapping[float, Proposals]:
    """By basket sharing what is proposed on the held-out part; none where no event has several
    items. Blocks for a minute."""
    if all(len(row.wanted) < 2 for row in parts.before):
        return {}
    found: dict[float, Proposals] = {}
    for sharing in BASKET_SHARINGS:
        by = msgspec.structs.replace(deriving, basket_sharing=sharing)
        derived = Derived(by, settings, table)
        derived.learn(parts.before)
        found[sharing] = replay(derived, parts.held_out, cadence, parts.min_earlier)
    return found
