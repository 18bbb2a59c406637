from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.unit.trainer.sessions.made_sessions import write_world

from millstream.domain.errors import OperatorError
from millstream.model.sessions.session_log import session_log
from millstream.model.sessions.told import NEVER, UNTOLD, Told
from millstream.trainer.sessions.data import hold_out, questions, read_world
from millstream.trainer.sessions.negatives import Negatives
from millstream.trainer.sessions.windows import LENGTHS, batches, newest, windows

# Distinct items throughout, so that a pair tells its place.
_LENGTHS = [2, 3, 9, 33, 34, 50, 120, 285]
_STARTS = np.cumsum([0, *_LENGTHS])
SESSIONS = [list(range(a, b)) for a, b in itertools.pairwise(_STARTS)]


def test_every_touch_but_the_first_is_a_target_once() -> None:
    cut = windows(session_log(SESSIONS))
    asked: Counter[tuple[int, int]] = Counter()
    for batch in batches(cut, 64, np.random.default_rng(0)):
        before = batch.touched.ravel()[batch.asked]
        asked.update(zip(before.tolist(), batch.targets.tolist(), strict=True))

    pairs = [pair for line in SESSIONS for pair in itertools.pairwise(line)]
    assert asked == Counter(pairs)


@pytest.mark.parametrize("again", [0.0, 1.0])
def test_of_the_newest_touches_each_is_a_target_once_and_as_many_others_as_wished(
    again: float,
) -> None:
    rng, fresh = np.random.default_rng(0), np.array([0, 3, 5, 1, 0, 40, 0, 25])
    cut = newest(session_log(SESSIONS), fresh, again, rng)
    targets = Counter[int]()
    for batch in batches(cut, 64, rng):
        targets.update(batch.targets.tolist())

    # All of the second session is new; the first touch of all is never a target.
    fresh_of = zip(SESSIONS, fresh.tolist(), strict=True)
    expected = [item for line, n in fresh_of for item in line[1:][::-1][:n]]
    others = sum(targets.values()) - len(expected)
    assert targets.keys() >= set(expected)
    assert others == 0 or again
    assert abs(others - again * len(expected)) <= LENGTHS[-1]


def test_no_batch_shows_a_target_at_or_before_its_place() -> None:
    for batch in batches(windows(session_log(SESSIONS)), 64, np.random.default_rng(0)):
        assert batch.touched.shape[1] in LENGTHS
        rows, places = np.divmod(batch.asked, batch.touched.shape[1])
        for row, place, target in zip(rows, places, batch.targets, strict=True):
            assert place < batch.lengths[row]
            assert target not in batch.touched[row, : place + 1]


def test_kinds_and_seconds_stand_beside_their_touches() -> None:
    log = session_log(SESSIONS)
    seconds = np.cumsum(log.items % 7)  # by touch, whose number is that of its item
    told = replace(log, told=Told(1 + log.items % 5, seconds))
    seen = 0
    for batch in batches(windows(told), 64, np.random.default_rng(0)):
        for row, length in enumerate(batch.lengths.tolist()):
            touched = batch.touched[row, :length]
            assert batch.kinds[row, :length].tolist() == (1 + touched % 5).tolist()
            assert batch.seconds[row, :length].tolist() == seconds[touched].tolist()
            assert set(batch.kinds[row, length:]) <= {UNTOLD}, "the target tells nothing"
            assert set(batch.seconds[row, length:]) <= {NEVER}
            seen += length - 1
    assert seen >= len(log.items) - 2 * len(SESSIONS)


def test_chances_make_the_softmax_sum_right_on_average() -> None:
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 50, 40).astype(np.float64)
    raised = rng.random(40)
    log = session_log([[0, 1]] * 5)
    batch = next(batches(windows(log), 100, rng))
    negatives = Negatives(counts, draws=15)
    sums = []
    for _ in range(4_000):
        targets = rng.choice(40, size=5, p=counts / counts.sum())
        drawn = negatives.draw(replace(batch, targets=targets), rng)
        sums.append(float((raised[drawn.rows] * np.exp(-drawn.log_chances)).sum()))

    assert np.mean(sums) == pytest.approx(raised.sum(), rel=0.02)


def test_questions_are_all_prefixes_that_are_long_enough() -> None:
    asked = questions(session_log([[1, 2, 3], [4, 5]]), least=2)

    assert asked.targets.tolist() == [3]
    assert asked.sessions.items.tolist() == [1, 2]


def test_held_out_sessions_are_the_last_and_know_no_new_item() -> None:
    before, after = hold_out(session_log([[1, 2], [2, 1], [1, 2], [1, 9, 2]]), 0.3)

    assert before.items.tolist() == [1, 2, 2, 1, 1, 2]
    assert after.items.tolist() == [1, 2]


def test_an_item_that_training_does_not_have_is_no_row(tmp_path: Path) -> None:
    world = read_world(write_world(tmp_path / "w", [[7, 8]], [([8, 99], 7), ([7], 99)]))

    assert world.items == 2
    assert world.test.sessions.lengths().tolist() == [1, 1]
    assert world.test.targets.tolist() == [0, -1]


def test_a_folder_without_the_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"train_sessions\.txt\.gz"):
        read_world(tmp_path)
