from __future__ import annotations

import numpy as np

from millstream.model.sessions.blend import BlendWeights, blend, buckets
from millstream.model.sessions.candidates import TOUCH_FEATURES, candidates
from millstream.model.sessions.session_log import session_log

SESSIONS = session_log([[1, 2, 1], []])
ANSWERED = {
    "one": np.array([[0.0, 1.0, 3.0, 0.0, 0.0], [0, 0, 0, 0, 0]], dtype=np.float32),
    "other": np.array([[4.0, 0.0, 0.0, 0.0, 1.0], [1, 0, 0, 2, 0]], dtype=np.float32),
}


def test_candidates_are_the_union_and_the_touched() -> None:
    found = candidates(ANSWERED, SESSIONS, depth=1)

    assert list(zip(found.session, found.item, strict=True)) == [
        (0, 0),
        (0, 1),
        (0, 2),
        (1, 3),
    ]
    assert found.lengths.tolist() == [3, 0]


def test_a_feature_is_the_share_of_the_source() -> None:
    found = candidates(ANSWERED, SESSIONS, depth=1)

    np.testing.assert_allclose(np.exp(found.features[2, :2]), [0.75, 0.0], atol=1e-5)
    np.testing.assert_allclose(np.exp(found.features[3, :2]), [0.0, 2 / 3], atol=1e-5)


def test_what_the_session_touched_is_told() -> None:
    found = candidates(ANSWERED, SESSIONS, depth=1)

    told = [dict(zip(TOUCH_FEATURES, row[2:].tolist(), strict=True)) for row in found.features]
    assert told[0] == dict.fromkeys(TOUCH_FEATURES, 0.0)
    assert (told[1]["last"], told[1]["recency"]) == (1.0, 1.0)
    assert (told[2]["last"], told[2]["second_last"], told[2]["recency"]) == (0.0, 1.0, 0.5)


def test_short_and_long_sessions_have_weights_of_their_own() -> None:
    found = candidates(ANSWERED, SESSIONS, depth=1)
    weights = np.zeros((5, found.features.shape[1]), dtype=np.float32)
    weights[buckets(np.array([3])), 0] = 1.0

    scores = blend(found, BlendWeights((), weights))

    assert scores[:3].tolist() == found.features[:3, 0].tolist()
    assert scores[3] == 0.0
