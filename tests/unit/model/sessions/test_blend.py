from __future__ import annotations

import numpy as np

from millstream.model.sessions.blend import BlendNetwork, blend
from millstream.model.sessions.candidates import POPULARITY, candidates, feature_names
from millstream.model.sessions.popularity import Popularity
from millstream.model.sessions.session_log import session_log

SESSIONS = session_log([[1, 2, 1], []])
ANSWERED = {
    "one": np.array([[0.0, 1.0, 3.0, 0.0, 0.0], [0, 0, 0, 0, 0]], dtype=np.float32),
    "other": np.array([[4.0, 0.0, 0.0, 0.0, 1.0], [1, 0, 0, 2, 0]], dtype=np.float32),
    POPULARITY: np.tile(np.array([0.5, 0.3, 0.2, 0, 0], dtype=np.float32), (2, 1)),
}
NAMES = feature_names({name: Popularity(np.ones(5)) for name in ANSWERED})


def told() -> dict[tuple[int, int], dict[str, float]]:
    """By session and item, the features by name."""
    found = candidates(ANSWERED, SESSIONS, depth=1)
    rows = (dict(zip(NAMES, row, strict=True)) for row in found.features.tolist())
    return dict(
        zip(zip(found.session.tolist(), found.item.tolist(), strict=True), rows, strict=True)
    )


def test_candidates_are_the_union_and_the_touched() -> None:
    found = candidates({**ANSWERED, POPULARITY: np.zeros((2, 5), np.float32)}, SESSIONS, depth=1)

    assert list(zip(found.session, found.item, strict=True)) == [(0, 0), (0, 1), (0, 2), (1, 3)]


def test_a_source_tells_share_gap_place_and_total() -> None:
    of = told()

    np.testing.assert_allclose(np.exp(of[0, 2]["one share"]), 0.75, atol=1e-5)
    np.testing.assert_allclose(np.exp(of[1, 3]["one share"]), 0.0, atol=1e-5)
    np.testing.assert_allclose(of[0, 1]["one gap"], np.log(1 / 3), atol=1e-5)
    assert (of[0, 2]["one place"], of[0, 1]["one place"]) == (1.0, 0.0), "beyond its depth"
    np.testing.assert_allclose(of[0, 2]["other total"], np.log(5), atol=1e-5)


def test_what_the_session_touched_is_told() -> None:
    of = told()

    assert of[0, 0]["in_session"] == of[0, 0]["recency"] == of[0, 0]["times"] == 0.0
    assert (of[0, 1]["last"], of[0, 1]["recency"]) == (1.0, 1.0)
    assert (of[0, 2]["last"], of[0, 2]["second_last"], of[0, 2]["recency"]) == (0.0, 1.0, 0.5)


def test_what_is_known_of_the_session_stands_with_each_candidate() -> None:
    of = told()

    for item in range(3):
        np.testing.assert_allclose(np.expm1(of[0, item]["length"]), 3, rtol=1e-6)
        np.testing.assert_allclose(np.expm1(of[0, item]["distinct"]), 2, rtol=1e-6)
        np.testing.assert_allclose(np.expm1(of[0, item]["last_times"]), 2, rtol=1e-6)
        np.testing.assert_allclose(np.exp(of[0, item]["last_share"]), 0.3, atol=1e-5)


def test_the_network_is_the_sum_of_its_layers_by_hand() -> None:
    found = candidates(ANSWERED, SESSIONS, depth=1)
    rng = np.random.default_rng(0)
    f = found.features.shape[1]
    shapes = [(f, 3), (3, 2), (2, 1)]
    weights = tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)
    biases = tuple(rng.normal(size=shape[1]).astype(np.float32) for shape in shapes)
    direct = rng.normal(size=(f, 1)).astype(np.float32)
    centre, spread = np.full(f, 0.5, np.float32), np.full(f, 2.0, np.float32)

    scores = blend(found, BlendNetwork(NAMES, centre, spread, weights, biases, direct))

    for row, score in zip(found.features, scores, strict=True):
        state = given = [(x - 0.5) / 2.0 for x in row.tolist()]
        for w, b in zip(weights[:2], biases[:2], strict=True):
            state = [
                max(0.0, sum(x * y for x, y in zip(state, w[:, j], strict=True)) + b[j])
                for j in range(w.shape[1])
            ]
        by_layers = sum(x * y for x, y in zip(state, weights[2][:, 0], strict=True)) + biases[2][0]
        by_itself = sum(x * y for x, y in zip(given, direct[:, 0], strict=True))
        np.testing.assert_allclose(score, by_layers + by_itself, rtol=1e-3, atol=1e-3)


def test_what_is_proposed_is_the_head_of_a_full_sort_in_a_sparse_answer_and_a_dense_one() -> None:
    rng = np.random.default_rng(2)
    few = np.where(rng.random((6, 300)) < 0.03, rng.integers(1, 5, (6, 300)), 0)
    dense = rng.integers(0, 50, (6, 300))
    nothing = session_log([[]] * 6)

    for scores in (few.astype(np.float32), dense.astype(np.float32)):
        answered = {"one": scores, POPULARITY: np.zeros((6, 300), dtype=np.float32)}
        found = candidates(answered, nothing, depth=7)
        for row in range(6):
            line = scores[row].tolist()
            order = sorted(range(300), key=lambda item: (-line[item], item))
            best = [item for item in order[:7] if line[item] > 0]
            mine = found.session == row
            places = found.features[mine, 2]
            by_place = found.item[mine][np.argsort(-places, kind="stable")]
            assert by_place.tolist() == best
