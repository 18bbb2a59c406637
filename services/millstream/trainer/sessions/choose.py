"""Chooses the settings of a source on held-out sessions, one setting after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from millstream.model.sessions.candidates import BLOCK
from millstream.model.sessions.session_knn import KnnRule, SessionKnn, index
from millstream.model.sessions.session_log import SessionLog
from millstream.model.sessions.source import Source
from millstream.trainer.sessions.data import Questions
from millstream.trainer.sessions.item_pairs import PairRule, covisitation
from millstream.trainer.sessions.metrics import dense_ranks, figures

Rule = TypeVar("Rule")

KNN_GRID: Mapping[str, Sequence[float]] = {
    "sharpness": (1.0, 2.0, 3.0),
    "same_weight": (1.0, 2.5, 4.0),
    "ahead": (0.3, 0.6, 0.8),
    "length_power": (0.0, 0.25, 0.5),
    "age_scale": (1.2, 2.0, 3.5),
    "behind_weight": (0.4, 0.8),
    "recency_scale": (0.5, 1.0, 2.0, 8.0),
    "idf_power": (1.0, 2.0, 3.0),
}


PAIR_GRID: Mapping[str, Sequence[float]] = {
    "same": (0.7, 3.0),
    "recency_scale": (0.4, 1.0),
    "behind": (0.4, 1.0),
    "damping": (0.3, 0.7),
    "scale": (1.0, 4.0),
    "age_scale": (1.2, 3.5),
}
FIRST_TRANSITIONS = PairRule(window=2, scale=1.0, behind=0.2, same=0.5, damping=1.0, age_scale=0.8)
TRANSITION_GRID: Mapping[str, Sequence[float]] = {
    "same": (0.2, 1.0),
    "recency_scale": (0.4, 1.0),
    "behind": (0.0, 0.5),
    "window": (1, 3),
    "age_scale": (0.5, 1.5),
}


def worth(source: Source, asked: Questions) -> float:
    return worth_of(reached(source, asked))


def worth_of(figures: Mapping[str, float]) -> float:
    """What is chosen by: HR@20 + 2 MRR@20, of which a change of either moves as much."""
    return figures["hr_at_20"] + 2 * figures["mrr_at_20"]


def reached(source: Source, asked: Questions) -> dict[str, float]:
    ranks = []
    for first, block in enumerate(asked.sessions.blocks(BLOCK)):
        targets = asked.targets[first * BLOCK : first * BLOCK + len(block)]
        ranks.append(dense_ranks(source.scores(block), targets))
    return figures(np.concatenate(ranks))


def chosen(rule: Rule, grid: Mapping[str, Sequence[Any]], value: Callable[[Rule], float]) -> Rule:
    """Each setting in turn to what is best beside the others' choice so far; one round."""
    best = value(rule)
    for name, tried in grid.items():
        for setting in tried:
            other: Rule = replace(rule, **{name: setting})  # type: ignore[type-var]
            if other != rule and (reached := value(other)) > best:
                best, rule = reached, other
    return rule


@dataclass(frozen=True, slots=True)
class Chosen:
    knn: KnnRule
    covisitation: PairRule
    transitions: PairRule


def choose(log: SessionLog, items: int, asked: Questions, told: Callable[[str], None]) -> Chosen:
    """Blocks for minutes."""
    postings = index(log, items)

    def of_pairs(rule: PairRule) -> float:
        return worth(covisitation(log, items, rule), asked)

    found = Chosen(
        chosen(KnnRule(), KNN_GRID, lambda rule: worth(SessionKnn(log, postings, rule), asked)),
        chosen(PairRule(), PAIR_GRID, of_pairs),
        chosen(FIRST_TRANSITIONS, TRANSITION_GRID, of_pairs),
    )
    for rule in (found.knn, found.covisitation, found.transitions):
        told(f"chosen: {rule}")
    return found
