"""Stage 6: how good the lists are, over the whole catalogue, beside what any model must beat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
import polars as pl

from millstream.model.embeddings import FloatArray, ServingRule
from millstream.model.manifest import Interval
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.fitting import Fitted, assemble
from millstream.trainer.gate.bootstrap import mean_bounds
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.quality.baselines import Covisitation, Popularity
from millstream.trainer.quality.metrics import Quality, measure
from millstream.trainer.quality.ranks import list_ranks, score_ranks
from millstream.trainer.settings import Measuring
from millstream.trainer.split import Query

MODEL = "model"
WHOLE_LIST = "whole_list"
POPULARITY = "popularity"
COVISITATION = "covisitation"

_SHARES = (0.3, 0.5, 0.7, 0.9, 1.0)
_HALF_LIVES = (3.0, 10.0)


class Contender(Protocol):
    def scores(self, query: Query) -> FloatArray:
        """(n_items,): the greater, the earlier in the list."""
        ...


def choose_rule(
    data: Interactions, fitted: Fitted, queries: Sequence[Query], ridge: float, rule: Measuring
) -> ServingRule:
    """How far and how fast recent items move a shopper: what ranks best (NDCG) on the validation
    part. The choices are few and every one lets a click show at once. An encoder knows by itself
    how fast they fade."""
    best, chosen = -1.0, ServingRule(rule.recent_items, _HALF_LIVES[-1], 0.5)
    for half_life in _HALF_LIVES if fitted.encoder is None else _HALF_LIVES[-1:]:
        for share in _SHARES:
            serving = ServingRule(rule.recent_items, half_life, share)
            scorer = Scorer(assemble(data, fitted, serving, ridge))
            ndcg = measure_model(data, scorer, queries, rule.k).means()[f"ndcg_at_{rule.k}"]
            if ndcg > best:
                best, chosen = ndcg, serving
    return chosen


def measure_model(data: Interactions, scorer: Scorer, queries: Sequence[Query], k: int) -> Quality:
    """The dot product alone. Shoppers of whom nothing is known get the popular items."""
    popular = np.zeros(len(scorer.items), dtype=np.float32)
    popular[: len(data.items)] = data.item_weights()  # behind them stand items that nobody touched
    vectors, known = scorer.user_vectors([(q.user, q.touches) for q in queries])
    lines = (line for _, block in scorer.all_scores(vectors) for line in block)
    chosen = (line if told else popular for line, told in zip(lines, known, strict=True))
    return _measure_scores(scorer.items, queries, chosen, k)


def measure_contender(
    data: Interactions, contender: Contender, queries: Sequence[Query], k: int
) -> Quality:
    lines = (contender.scores(query) for query in queries)
    return _measure_scores(data.items, queries, lines, k)


def measure_lists(lists: Sequence[Sequence[str]], queries: Sequence[Query], k: int) -> Quality:
    ranks = [list_ranks(line, q.wanted) for line, q in zip(lists, queries, strict=True)]
    return measure([query.user for query in queries], ranks, k)


def evaluate(
    before: pl.DataFrame,
    data: Interactions,
    scorer: Scorer,
    queries: Sequence[Query],
    whole_lists: Sequence[Sequence[str]],
    rule: Measuring,
) -> dict[str, Quality]:
    """The four contenders on the same queries. `data` is what `scorer` was trained on; `before`
    (n, 6), all lines before the first query, is what the baselines know; `whole_lists`: for each
    query what a shopper would have been shown."""
    seen = encode(before, rule.recent_items)
    contenders: dict[str, Contender] = {
        POPULARITY: Popularity(seen),
        COVISITATION: Covisitation(before, seen, rule.visit_gap_ms),
    }
    found = {
        name: measure_contender(seen, contender, queries, rule.k)
        for name, contender in contenders.items()
    }
    found[MODEL] = measure_model(data, scorer, queries, rule.k)
    found[WHOLE_LIST] = measure_lists(whole_lists, queries, rule.k)
    return found


def named_means(found: dict[str, Quality]) -> dict[str, float]:
    """One flat table: `model_recall_at_20` and so on, and how many queries it rests on."""
    table = {
        f"{name}_{metric}": value
        for name, quality in found.items()
        for metric, value in quality.means().items()
    }
    table["queries"] = float(len(next(iter(found.values())).users))
    return table


def named_intervals(found: dict[str, Quality], rule: GateRule) -> dict[str, Interval]:
    """Of each of the named means; none where there are no queries."""
    users = next(iter(found.values())).users
    if not users:
        return {}
    columns = {
        f"{name}_{metric}": values
        for name, quality in found.items()
        for metric, values in quality.values().items()
    }
    low, high = mean_bounds(
        np.column_stack(list(columns.values())), users, rule.resamples, rule.seed
    )
    pairs = zip(low.tolist(), high.tolist(), strict=True)
    return {name: Interval(*pair) for name, pair in zip(columns, pairs, strict=True)}


def _measure_scores(
    items: Vocabulary, queries: Sequence[Query], lines: Iterator[FloatArray], k: int
) -> Quality:
    ranks = [
        score_ranks(line, items.known_rows(query.wanted), len(query.wanted))
        for query, line in zip(queries, lines, strict=True)
    ]
    return measure([query.user for query in queries], ranks, k)
