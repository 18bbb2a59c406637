from __future__ import annotations

import numpy as np

from millstream.model.sessions.ragged import places, summed
from millstream.model.sessions.session_log import recent, session_log

SESSIONS = [[1, 2, 1, 3], [], [4], [5, 5, 6]]


def test_places_of_lists_with_an_empty_one_between() -> None:
    flat, owner = places(np.array([10, 3, 0]), np.array([2, 0, 3]))

    assert flat.tolist() == [10, 11, 0, 1, 2]
    assert owner.tolist() == [0, 0, 2, 2, 2]


def test_summed_adds_equal_keys() -> None:
    keys, sums = summed(np.array([5, 2, 5]), np.array([1.0, 2.0, 3.0]))

    assert (keys.tolist(), sums.tolist()) == ([2, 5], [2.0, 4.0])


def test_taken_blocks_hold_every_session_once_in_order() -> None:
    log = session_log(SESSIONS)

    found = [
        block.items[block.starts[s] : block.starts[s + 1]].tolist()
        for block in log.blocks(3)
        for s in range(len(block))
    ]

    assert found == SESSIONS


def test_last_touches_keep_the_newest() -> None:
    cut = session_log(SESSIONS).last(2)

    assert cut.items.tolist() == [1, 3, 4, 5, 6]
    assert cut.lengths().tolist() == [2, 0, 1, 2]


def test_recent_items_are_distinct_newest_first_with_their_age() -> None:
    seen = recent(session_log(SESSIONS), 10)

    told = list(zip(seen.session, seen.item, seen.age, seen.rank, seen.count, strict=True))
    assert told == [
        (0, 3, 0, 0, 1),
        (0, 1, 1, 1, 2),
        (0, 2, 2, 2, 1),
        (2, 4, 0, 0, 1),
        (3, 6, 0, 0, 1),
        (3, 5, 1, 1, 2),
    ]
