"""Session nearest neighbours with position, recency and length weights: STAN (Garg et al., SIGIR
2019) with VSTAN's item idf, and a weight of its own for coming back to the item that matched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Floats, Ints, heads, places
from millstream.model.sessions.session_log import Recent, SessionLog, recent


@dataclass(frozen=True, slots=True)
class KnnRule:
    """`age_scale`: touches after which a query item weighs 1/e. `recency_scale`: after which
    share of the log a session weighs 1/e. `sharpness`, `length_power`: similarity is
    matched weight ** sharpness / distinct items ** length_power. `ahead`, `behind`: the factor
    with each step after and before the matched item; `behind_weight`, `same_weight`: what is
    before it, and itself, beside the item right after it."""

    age_scale: float = 2.5
    recency_scale: float = 1.5
    sharpness: float = 1.0
    length_power: float = 0.4
    idf_power: float = 2.0
    ahead: float = 0.5
    behind: float = 0.7
    behind_weight: float = 0.7
    same_weight: float = 2.5
    neighbours: int = 1_000
    sessions_an_item: int = 2_000
    query_touches: int = 30


@dataclass(frozen=True, slots=True)
class Postings:
    """By item, the newest session first: `session` and the item's last `position` in it;
    `starts` (items + 1,)."""

    starts: Ints
    session: Ints
    position: Ints
    distinct: Ints
    """(sessions,) distinct items of each session."""


def index(log: SessionLog, items: int) -> Postings:
    session = log.owners()
    position = np.arange(len(log.items)) - log.starts[session]
    order = np.lexsort((-position, -session, log.items))
    first = order[heads(log.items[order] * len(log) + session[order])]
    starts = np.searchsorted(log.items[first], np.arange(items + 1))
    distinct = np.bincount(session[first], minlength=len(log))
    return Postings(starts, session[first], position[first], distinct)


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """(m,) each: whose neighbour, which session, where its match stands, how similar."""

    query: Ints
    session: Ints
    position: Ints
    similarity: Floats


class SessionKnn:
    def __init__(self, log: SessionLog, postings: Postings, rule: KnnRule) -> None:
        self._log, self._postings, self._rule = log, postings, rule
        self._items = len(postings.starts) - 1

    def scores(self, sessions: SessionLog) -> FloatArray:
        near = self._neighbours(recent(sessions, self._rule.query_touches), len(sessions))
        rule, lengths = self._rule, self._log.lengths()[near.session]
        flat, owner = places(self._log.starts[near.session], lengths)
        step = flat - self._log.starts[near.session[owner]] - near.position[owner]
        weight = np.where(
            step > 0,
            rule.ahead ** (step - 1.0),
            rule.behind_weight * rule.behind ** (-step - 1.0),
        )
        weight[step == 0] = rule.same_weight
        cells = near.query[owner] * self._items + self._log.items[flat]
        votes = np.bincount(
            cells, near.similarity[owner] * weight, minlength=len(sessions) * self._items
        )
        return votes.reshape(len(sessions), self._items).astype(np.float32)

    def _neighbours(self, query: Recent, queries: int) -> _Neighbours:
        """Where several items match, the session's position is that of the newest one."""
        rule, postings, sessions = self._rule, self._postings, len(self._log)
        found = np.diff(postings.starts)[query.item]
        idf = np.log(sessions / np.maximum(found, 1)) ** rule.idf_power
        weight = np.exp(-query.age / rule.age_scale) * idf
        flat, owner = places(postings.starts[query.item], np.minimum(found, rule.sessions_an_item))
        keys = query.session[owner] * sessions + postings.session[flat]
        order = np.argsort(keys, kind="stable")
        first = heads(keys[order])
        if len(first) == 0:
            return _Neighbours(first, first, first, np.zeros(0))
        matched = np.add.reduceat(weight[owner[order]], first)
        owners, near = np.divmod(keys[order[first]], sessions)
        age = (sessions - near) / sessions
        similarity = matched**rule.sharpness / postings.distinct[near] ** rule.length_power
        similarity *= np.exp(-age / rule.recency_scale)
        return self._nearest(
            _Neighbours(owners, near, postings.position[flat[order[first]]], similarity), queries
        )

    def _nearest(self, all_: _Neighbours, queries: int) -> _Neighbours:
        order = np.lexsort((-all_.similarity, all_.query))
        query = all_.query[order]
        rank = np.arange(len(query)) - np.searchsorted(query, np.arange(queries))[query]
        kept = order[rank < self._rule.neighbours]
        return _Neighbours(
            all_.query[kept], all_.session[kept], all_.position[kept], all_.similarity[kept]
        )
