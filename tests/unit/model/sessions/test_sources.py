"""Each source against the same sum written as plain loops, and its indifference to company."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from millstream.model.sessions.popularity import Popularity
from millstream.model.sessions.repeats import Repeats
from millstream.model.sessions.session_knn import KnnRule, SessionKnn, index
from millstream.model.sessions.session_log import session_log
from millstream.model.sessions.source import Source
from millstream.trainer.sessions.item_pairs import PairRule, covisitation

ITEMS = 30
_RNG = np.random.default_rng(3)
LOG = [[int(item) for item in _RNG.integers(ITEMS, size=_RNG.integers(2, 9))] for _ in range(60)]
ASKED = [[int(item) for item in _RNG.integers(ITEMS, size=n)] for n in (1, 2, 5, 12, 3)]
RULE = KnnRule(neighbours=7, sessions_an_item=1_000)


def slow_knn(query: list[int]) -> NDArray[np.float64]:
    weights: dict[int, float] = {}
    for age, item in enumerate(reversed(query[-RULE.query_touches :])):
        found = sum(item in session for session in LOG)
        idf = math.log(len(LOG) / max(found, 1)) ** RULE.idf_power
        weights.setdefault(item, math.exp(-age / RULE.age_scale) * idf)
    near = []
    for number, session in enumerate(LOG):
        matched = [item for item in weights if item in session]
        if matched:
            oldness = (len(LOG) - number) / len(LOG)
            likeness = math.fsum(weights[item] for item in matched) ** RULE.sharpness
            likeness *= math.exp(-oldness / RULE.recency_scale)
            likeness /= float(len(set(session))) ** RULE.length_power
            near.append((likeness, number, matched[0]))
    scores = np.zeros(ITEMS)
    for likeness, number, match in sorted(near, reverse=True)[: RULE.neighbours]:
        at = max(place for place, item in enumerate(LOG[number]) if item == match)
        for place, item in enumerate(LOG[number]):
            scores[item] += likeness * step_weight(place - at)
    return scores


def step_weight(step: int) -> float:
    if step == 0:
        return RULE.same_weight
    if step > 0:
        return float(RULE.ahead ** (step - 1))
    return float(RULE.behind_weight * RULE.behind ** (-step - 1))


def slow_covisits(query: list[int], rule: PairRule, scale: float) -> NDArray[np.float64]:
    table = np.zeros((ITEMS, ITEMS))
    for number, session in enumerate(LOG):
        newness = math.exp(-(len(LOG) - number) / (len(LOG) * rule.recency_scale))
        for place, item in enumerate(session):
            table[item, item] += rule.same * newness
            for step, later in enumerate(session[place + 1 : place + 1 + rule.window]):
                weight = newness * math.exp(-step / rule.scale)
                table[item, later] += weight
                table[later, item] += rule.behind * weight
    table /= np.maximum(table.sum(axis=1, keepdims=True), 1e-12) ** 0.5
    weights = [math.exp(-age / scale) for age in range(10)]
    scores = np.zeros(ITEMS)
    for weight, item in zip(weights, reversed(query), strict=False):
        scores += weight * table[item]
    return scores


def test_nearest_sessions_are_those_of_the_plain_loop() -> None:
    log = session_log(LOG)

    found = SessionKnn(log, index(log, ITEMS), RULE).scores(session_log(ASKED))

    np.testing.assert_allclose(found, [slow_knn(query) for query in ASKED], rtol=1e-5)


def test_covisits_are_those_of_the_plain_loop() -> None:
    rule = PairRule(window=3)

    source = covisitation(session_log(LOG), ITEMS, rule)

    expected = [slow_covisits(query, rule, 2.0) for query in ASKED]
    np.testing.assert_allclose(source.scores(session_log(ASKED)), expected, rtol=1e-5)


def test_repeats_take_the_share_of_their_place() -> None:
    shares = np.array([[0.5, 0.0], [0.3, 0.2]])

    found = Repeats(shares, 5).scores(session_log([[1], [1, 2, 1], [1, 2, 3]]))

    assert found[0].tolist() == pytest.approx([0, 0.5, 0, 0, 0])
    assert found[1].tolist() == pytest.approx([0, 0.3, 0.2, 0, 0])
    assert found[2].tolist() == pytest.approx([0, 0, 0.2, 0.3, 0]), "only the table's two newest"


def sources() -> dict[str, Source]:
    log = session_log(LOG)
    return {
        "session_knn": SessionKnn(log, index(log, ITEMS), RULE),
        "covisitation": covisitation(log, ITEMS, PairRule()),
        "repeats": Repeats(np.full((3, 3), 0.1), ITEMS),
    }


@pytest.mark.parametrize("name", ["session_knn", "covisitation", "repeats"])
def test_a_session_is_answered_alike_alone_and_in_company(name: str) -> None:
    source = sources()[name]

    together = source.scores(session_log(ASKED))

    alone = np.concatenate([source.scores(session_log([query])) for query in ASKED])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", ["session_knn", "covisitation", "repeats"])
def test_nothing_is_said_of_an_empty_session(name: str) -> None:
    assert not sources()[name].scores(session_log([[], []])).any()


def test_popularity_needs_no_session() -> None:
    assert Popularity(np.array([0.75, 0.25])).scores(session_log([[]])).tolist() == [[0.75, 0.25]]
