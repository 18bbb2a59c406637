"""The cut finds what a sort of the whole row finds, whatever the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import tries

from millstream.model import top_k as module
from millstream.model.embeddings import FloatArray
from millstream.model.top_k import Columns, top_k


def sorted_whole(scores: FloatArray, k: int) -> Columns:
    keys = np.where(np.isnan(scores), np.inf, -scores)
    return np.argsort(keys, axis=1, kind="stable")[:, :k]


def drawn(kind: str, seed: int, width: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(5, width))
    if kind == "few values":
        scores = rng.integers(0, 3, (5, width)).astype(float)
    elif kind == "all alike":
        scores[:] = 1.0
    elif kind == "falling":
        scores = -np.sort(-scores, axis=1)
    elif kind == "great where the sample looks":
        scores[:, :: module._STEP] += 100.0
    elif kind == "great where it does not":
        scores[:, 1 :: module._STEP] += 100.0
    elif kind == "minus infinity":
        scores[:, rng.random(width) < 0.99] = -np.inf
    elif kind == "some are no numbers":
        scores[:, rng.random(width) < 0.1] = np.nan
    return scores.astype(np.float32)


KINDS = [
    "normal",
    "few values",
    "all alike",
    "falling",
    "great where the sample looks",
    "great where it does not",
    "minus infinity",
    "some are no numbers",
]


@settings(max_examples=tries(150))
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 1000),
    width=st.sampled_from([1, 7, 1024, 1025, 3000, 20_000]),
    k=st.sampled_from([0, 1, 20, 60, 400]),
)
def test_what_a_sort_finds(kind: str, seed: int, width: int, k: int) -> None:
    scores, k = drawn(kind, seed, width), min(k, width)
    np.testing.assert_array_equal(top_k(scores, k), sorted_whole(scores, k))


def test_rows_of_different_kinds_side_by_side() -> None:
    scores = np.concatenate([drawn(kind, 3, 5000) for kind in KINDS])
    np.testing.assert_array_equal(top_k(scores, 60), sorted_whole(scores, 60))


def test_ordinary_rows_are_never_partitioned_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_partitioned", lambda *_: pytest.fail("the cut was of no use"))
    top_k(drawn("normal", 1, 40_000), 60)


def test_no_rows() -> None:
    assert top_k(np.zeros((0, 2000), np.float32), 60).shape == (0, 60)


def test_more_than_there_are() -> None:
    with pytest.raises(ValueError, match="4 of 3 scores"):
        top_k(np.zeros((1, 3), np.float32), 4)
