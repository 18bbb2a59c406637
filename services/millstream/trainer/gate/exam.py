"""The lists that a version would have shown for the exam's visits, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from millstream.model.scorer import Scorer
from millstream.trainer.encode import encode
from millstream.trainer.gate.segments import Groups, Segment, segments
from millstream.trainer.quality.metrics import Quality, measure
from millstream.trainer.quality.ranks import list_ranks
from millstream.trainer.split import Query

MODEL = "model"
WHOLE_LIST = "whole list"

Lists = Sequence[Sequence[str]]
Views = Mapping[str, Lists]
"""Per view, for each query, at most k item ids, likeliest first. The whole list is what a shopper
sees; the model by itself shows more sharply what was trained, since the other candidates do not
stand beside it."""

WholeListsOf = Callable[[Sequence[Query], Scorer], Lists]


@dataclass(frozen=True, slots=True)
class Exam:
    """The same for every version. `popular`: (k,) what shoppers get of whom nothing is known."""

    queries: Sequence[Query]
    segments: Sequence[Segment]
    groups: Groups
    known_items: frozenset[str]
    popular: tuple[str, ...]
    k: int

    @classmethod
    def on(
        cls,
        before: pl.DataFrame,
        queries: Sequence[Query],
        k: int,
        countries: Mapping[str, str] = MappingProxyType({}),
    ) -> Exam:
        """`before`: (n, 6), all lines before the first query, at least one. `countries`: of the
        shoppers for whom one was told."""
        data, groups = encode(before, 1), Groups.of(before)
        order = np.argsort(-data.item_weights(), kind="stable")[:k]
        popular = tuple(data.items[int(row)] for row in order)
        found = segments(groups, queries, countries)
        return cls(queries, found, groups, frozenset(data.items.ids), popular, k)


def sit(exam: Exam, scorer: Scorer, shop: WholeListsOf) -> Views:
    """Blocks for seconds."""
    lists = shop(exam.queries, scorer)
    return {WHOLE_LIST: [line[: exam.k] for line in lists], MODEL: model_lists(exam, scorer)}


def popular_views(exam: Exam) -> Views:
    """What a shop without a model would show everybody."""
    lists = [exam.popular] * len(exam.queries)
    return {WHOLE_LIST: lists, MODEL: lists}


def model_lists(exam: Exam, scorer: Scorer) -> Lists:
    """The dot product alone; popular items for shoppers of whom nothing is known."""
    vectors, known = scorer.user_vectors([(q.user, q.touches) for q in exam.queries])
    rows, _ = scorer.nearest(vectors, exam.k)
    return [
        [scorer.items[row] for row in line] if told else exam.popular
        for line, told in zip(rows.tolist(), known, strict=True)
    ]


def measured(exam: Exam, lists: Lists, segment: Segment) -> Quality:
    """On the queries of a segment."""
    asked = [
        (query.user, list_ranks(line, wanted))
        for query, line, wanted in zip(exam.queries, lists, segment.wanted, strict=True)
        if wanted
    ]
    return measure([user for user, _ in asked], [ranks for _, ranks in asked], exam.k)
