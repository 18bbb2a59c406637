"""Vectors of texts, and what stands in for them."""

from __future__ import annotations

import numpy as np
import pytest

from millstream.domain.errors import OperatorError
from millstream.model.word_vectors import DIMENSIONS
from millstream.search import meaning as module
from millstream.search.meaning import hashed, meaning


def test_hashed_texts_are_alike_by_their_letters() -> None:
    vectors = hashed(["red lantern", "red lantrn", "oak chair", ""])
    assert vectors.shape == (4, DIMENSIONS)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1, 0])
    assert vectors[0] @ vectors[1] > 0.6
    assert vectors[0] @ vectors[2] < 0.3


@pytest.mark.parametrize("error", [OperatorError("word vectors", "none", "some"), OSError()])
def test_without_word_vectors_letters_stand_in(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise error

    monkeypatch.setattr(module, "WordVectors", broken)
    assert meaning.__wrapped__() is hashed
