from __future__ import annotations

from itertools import groupby

import numpy as np

from millstream.model.sessions.session_knn import KnnRule, SessionKnn, index
from millstream.model.sessions.session_log import session_log
from millstream.trainer.stream.visits import VisitRule, Visits, votes

_ITEMS = 12
_RULE = KnnRule(neighbours=15, sessions_an_item=10, sharpness=2.0)


def _lists(seed: int, count: int) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(_ITEMS, size=int(rng.integers(2, 9))).tolist() for _ in range(count)]


def _learnt(lists: list[list[int]]) -> Visits:
    visits = Visits(VisitRule())
    for number, items in enumerate(lists):
        for item in items:
            visits.learn(f"s{number}", number * 1_000, np.array([item]))
    return visits


def test_it_votes_as_the_nearest_sessions_do_on_the_same_log() -> None:
    lists = _lists(seed=4, count=60)
    visits, log = _learnt(lists), session_log(lists)
    knn = SessionKnn(log, index(log, _ITEMS), _RULE)
    for query in _lists(seed=5, count=40):
        distinct = [item for item, _ in groupby(dict.fromkeys(query))]
        expected = knn.scores(session_log([distinct]))[0]
        items, weights = votes(visits, np.array(distinct[::-1]), None, _RULE)
        found = np.zeros(_ITEMS)
        found[items] = weights
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_visit_is_not_its_own_neighbour() -> None:
    visits = _learnt([[1, 2, 3]])
    own = visits.current("s0", 500)
    assert own == 0
    assert len(votes(visits, np.array([3, 2, 1]), own, KnnRule())[0]) == 0
    assert len(votes(visits, np.array([3, 2, 1]), None, KnnRule())[0]) == 3


def test_a_pause_or_many_touches_end_a_visit() -> None:
    visits = Visits(VisitRule(gap_ms=1_000, longest=3))
    for time_ms in (0, 900, 2_000, 2_100, 2_200, 2_300):
        visits.learn("ann", time_ms, np.array([7]))
    assert visits.log().lengths().tolist() == [2, 3, 1]
    assert visits.current("ann", 2_400) == 2
    assert visits.current("ann", 9_999) is None
    assert visits.current("bob", 0) is None


def test_a_copy_grows_on_its_own() -> None:
    visits = _learnt([[1, 2], [3]])
    copy = visits.copy()
    copy.learn("s1", 1_100, np.array([4]))
    copy.learn("new", 1_100, np.array([1]))
    assert visits.log().items.tolist() == [1, 2, 3]
    assert copy.log().items.tolist() == [1, 2, 3, 4, 1]
    assert visits.touched_by(1) == 1
