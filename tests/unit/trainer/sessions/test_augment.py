"""Crops keep the end of a window and its targets; masks hide a share of touches."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from millstream.model.sessions.session_log import session_log
from millstream.trainer.sessions.augment import cropped, shown
from millstream.trainer.sessions.windows import Windows, batches, windows

SESSIONS = [[1, 2], [3, 4, 5], [6, 7, 8, 9, 10], list(range(11, 91))]


def lines(cut: Windows) -> list[list[int]]:
    return [line.tolist() for line in np.split(cut.log.items, cut.log.starts[1:-1])]


def test_nothing_is_cropped_unless_asked_for() -> None:
    cut = windows(session_log(SESSIONS))
    assert cropped(cut, 0.0, np.random.default_rng(0)) is cut


def test_a_crop_is_the_end_of_its_window_with_a_question_left() -> None:
    cut, rng = windows(session_log(SESSIONS)), np.random.default_rng(0)
    shorter = 0
    for _ in range(50):
        made = cropped(cut, 1.0, rng)
        for whole, part in zip(lines(cut), lines(made), strict=True):
            assert len(part) >= 2
            assert whole[-len(part) :] == part
            shorter += len(part) < len(whole)
        assert (made.first >= 1).all()
        assert (made.first < made.log.lengths()).all()
    assert shorter > 100


def test_targets_of_a_crop_are_targets_of_its_window() -> None:
    cut, rng = windows(session_log(SESSIONS)), np.random.default_rng(1)
    allowed = {pair for line in SESSIONS for pair in itertools.pairwise(line)}
    asked: list[tuple[int, int]] = []
    for batch in batches(cropped(cut, 1.0, rng), 16, rng):
        before = batch.touched.ravel()[batch.asked]
        asked += zip(before.tolist(), batch.targets.tolist(), strict=True)
    assert set(asked) <= allowed
    assert len(set(asked)) == len(asked)


def test_only_a_share_of_the_windows_is_cropped() -> None:
    cut = windows(session_log([[1, 2, 3, 4, 5, 6]] * 2_000))
    whole = cropped(cut, 0.5, np.random.default_rng(0)).log.lengths() == 6
    # Of those chosen one in five loses nothing.
    assert whole.mean() == pytest.approx(0.5 + 0.5 / 5, abs=0.05)


def test_a_share_of_the_touches_is_hidden() -> None:
    touched = np.zeros((200, 32), dtype=np.int64)
    assert shown(touched, 0.0, np.random.default_rng(0)).all()
    assert shown(touched, 0.25, np.random.default_rng(0)).mean() == pytest.approx(0.75, abs=0.02)
