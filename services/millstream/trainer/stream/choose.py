"""Settings chosen on what lies before the split; the questions after it are asked once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from millstream.model.sessions.session_knn import KnnRule
from millstream.ranking.items import ItemTable
from millstream.trainer.sessions.choose import KNN_GRID, chosen
from millstream.trainer.stream.baselines import (
    Baseline,
    Covisitation,
    Popularity,
    RecentItems,
    asked_ranks,
)
from millstream.trainer.stream.factors import FactorRule, Factors
from millstream.trainer.stream.live import NEIGHBOURS, REPEAT, Live, production_weights
from millstream.trainer.stream.proposals import Proposals, Wanted, Weights, ranks
from millstream.trainer.stream.replay import is_asked, wanted_of
from millstream.trainer.stream.rows import Row
from millstream.trainer.stream.scores import scores_of, worth

WEIGHTS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5)
_REPEAT_RECENCIES = (0.3, 0.5, 0.7, 0.85, 0.99)
_ROUNDS = 2
HALF_LIVES_DAYS = (1.0, 7.0, 30.0)
FACTOR_RULES = (FactorRule(rate=0.1), FactorRule(rate=0.2))


def choose_knn(live: Live, asked: Sequence[Row]) -> KnnRule:
    """How visits are likened, by what the nearest ones find alone, as they stand."""
    wanted = wanted_of(asked, live)

    def value(rule: KnnRule) -> float:
        said = live.neighbours(asked, 0, rule)
        return value_of({NEIGHBOURS: said}, {NEIGHBOURS: 1.0}, wanted)

    return chosen(live.knn, KNN_GRID, value)


def choose_weights(live: Live, asked: Sequence[Row], proposals: Proposals) -> tuple[Weights, float]:
    """Each source's weight in turn to what is best beside the others' choice so far, and how fast
    the shopper's own items fade."""
    wanted = wanted_of(asked, live)
    best: Weights = {**production_weights(), NEIGHBOURS: 1.0}
    fading = live.settings.repeat_recency
    for _ in range(_ROUNDS):
        own = {each: live.repeats(asked, each) for each in _REPEAT_RECENCIES}
        fading = max(own, key=lambda r: value_of({**proposals, REPEAT: own[r]}, best, wanted))
        proposals = {**proposals, REPEAT: own[fading]}
        best = weighed(proposals, best, wanted)
    return best, fading


def weighed(proposals: Proposals, best: Weights, wanted: Wanted) -> Weights:
    reached = value_of(proposals, best, wanted)
    for name in best:
        for weight in WEIGHTS:
            tried = {**best, name: weight}
            value = value_of(proposals, tried, wanted)
            if value > reached:
                best, reached = tried, value
    return best


def value_of(proposals: Proposals, weights: Weights, wanted: Wanted) -> float:
    found = ranks(proposals, weights, wanted)
    return worth(scores_of(found, wanted.questions, len(wanted)))


Named = tuple[str, Baseline]


def choose_baseline(
    named: Sequence[Named], spans: tuple[Sequence[Row], Sequence[Row]], least: int, table: ItemTable
) -> Named:
    """The best on the second span, having learnt the first; it has learnt both afterwards."""
    before, held_out = spans
    asked = [row for row in held_out if is_asked(row, least)]
    questions = np.repeat(np.arange(len(asked)), [len(row.wanted) for row in asked])
    worths = []
    for _, baseline in named:
        for row in before:
            baseline.learn(row)
        found = asked_ranks(baseline, held_out, table, least)
        worths.append(worth(scores_of(found, questions, len(asked))))
    return named[int(np.argmax(worths))]


def baselines(
    capacity: int, visit_gap_ms: int, seed: int
) -> dict[str, Callable[[ItemTable], list[Named]]]:
    """By name, each with the settings it may choose from."""
    return {
        "popularity": lambda table: [("all time", Popularity(table, capacity, None))],
        "decayed popularity": lambda table: [
            (f"half-life {days:g} days", Popularity(table, capacity, days))
            for days in HALF_LIVES_DAYS
        ],
        "the shopper's recent items": lambda table: [("all", RecentItems(table, capacity))],
        "co-visitation": lambda table: [("", Covisitation(table, capacity, visit_gap_ms))],
        "incremental matrix factorisation": lambda table: [
            (f"rate {rule.rate:g}, {rule.negatives} drawn", Factors(table, capacity, rule, seed))
            for rule in FACTOR_RULES
        ],
    }
