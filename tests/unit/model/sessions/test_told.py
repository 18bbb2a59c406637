"""What an encoder is told of touches beside their items, and what it makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.encoders import mean_encoder, told_tables, unit

from millstream.domain.events import EventType
from millstream.model.embeddings import FloatArray
from millstream.model.sessions.encoder import BLOCK, Encoder, EncoderArrays
from millstream.model.sessions.session_log import SessionLog, session_log
from millstream.model.sessions.told import (
    EDGES_S,
    GAPS,
    KIND,
    KINDS,
    NEVER,
    UNTOLD,
    Told,
    gaps,
)

ITEMS, SIZE = 9, 6
DAY = 86_400


def arrays(seed: int) -> EncoderArrays:
    """Of chance, as trained ones might be."""
    rng = np.random.default_rng(seed)
    even = mean_encoder(unit(rng.normal(size=(ITEMS, SIZE)).astype(np.float32)))
    drawn: dict[str, Any] = {
        name: (0.3 * rng.normal(size=getattr(even, name).shape)).astype(np.float32)
        for name in BLOCK
    }
    return replace(even, **drawn)


@st.composite
def logs(draw: st.DrawFn) -> SessionLog:
    touch = st.tuples(
        st.integers(0, ITEMS - 1), st.integers(0, KINDS - 1), st.integers(NEVER, 40 * DAY)
    )
    sessions = draw(st.lists(st.lists(touch, max_size=12), min_size=1, max_size=5))
    flat = [touch for session in sessions for touch in session]
    items, kinds, seconds = np.array(flat, dtype=np.int64).reshape(-1, 3).T
    items_only = session_log([[item for item, _, _ in session] for session in sessions])
    assert items_only.items.tolist() == items.tolist()
    return replace(items_only, told=Told(kinds, seconds))


@given(log=logs(), seed=st.integers(0, 5))
def test_vectors_of_zero_say_what_an_encoder_without_them_says(log: SessionLog, seed: int) -> None:
    old = arrays(seed)
    told = replace(old, **told_tables(SIZE, np.zeros))
    before = Encoder(old).vectors(replace(log, told=None))
    np.testing.assert_array_equal(Encoder(old).vectors(log), before)
    np.testing.assert_array_equal(Encoder(told).vectors(log), before)


def taught(seed: int) -> EncoderArrays:
    rng = np.random.default_rng(seed)
    return replace(arrays(seed), **told_tables(SIZE, lambda shape: rng.normal(size=shape)))


def vector(told: Told, encoder: EncoderArrays) -> FloatArray:
    (found,) = Encoder(encoder).vectors(session_log([[1, 2, 3]], told))
    return np.asarray(found)


LOOKS = np.full(3, KIND[EventType.VIEW_ITEM])
STEADY = np.array([0, 10, 20])


@pytest.mark.parametrize(
    "told",
    [
        Told(np.array([*LOOKS[:2], KIND[EventType.PURCHASE]]), STEADY),
        Told(np.array([KIND[EventType.ADD_TO_CART], *LOOKS[1:]]), STEADY),
        Told(LOOKS, np.array([0, 10, 20 + DAY])),
        Told(LOOKS, np.array([0, NEVER, 20])),
    ],
    ids=["bought", "in the cart before", "a day later", "at no known time"],
)
def test_kinds_and_gaps_move_a_session(told: Told) -> None:
    encoder, usual = taught(1), Told(LOOKS, STEADY)
    assert np.abs(vector(told, encoder) - vector(usual, encoder)).max() > 1e-3


def test_only_gaps_count_and_not_when_it_was() -> None:
    later = Told(LOOKS, STEADY + 90 * DAY)
    np.testing.assert_array_equal(vector(later, taught(1)), vector(Told(LOOKS, STEADY), taught(1)))


def test_a_kind_from_after_the_training_is_as_one_that_is_not_known() -> None:
    kinds, pool_kinds = taught(1).kinds, taught(1).pool_kinds
    assert kinds is not None
    assert pool_kinds is not None
    early = replace(taught(1), kinds=kinds[:-1], pool_kinds=pool_kinds[:-1])
    newest, unknown = np.array([*LOOKS[:2], KINDS - 1]), np.array([*LOOKS[:2], UNTOLD])
    ours = vector(Told(newest, STEADY), early)
    np.testing.assert_array_equal(ours, vector(Told(unknown, STEADY), early))


def test_gaps_are_counted_from_the_touch_before() -> None:
    at_s = np.array([[NEVER, 100, 100, 99, 100, 104, 104 + 40 * DAY, NEVER]])
    assert gaps(at_s)[0].tolist() == [UNTOLD, UNTOLD, 1, 1, 2, 3, GAPS - 1, UNTOLD]


def test_an_age_is_counted_until_the_newest_touch() -> None:
    """Where only ages tell, the two ends of a pause are told apart by what came last."""
    only_ages = replace(taught(1), gaps=np.zeros((GAPS, SIZE), dtype=np.float32))
    close, apart = Told(LOOKS, np.array([0, 0, 300])), Told(LOOKS, np.array([0, 300, 300]))
    assert np.abs(vector(close, only_ages) - vector(apart, only_ages)).max() > 1e-3
    shifted = replace(apart, seconds=apart.seconds + np.array([3, 0, 0]))
    np.testing.assert_array_equal(vector(shifted, only_ages), vector(apart, only_ages))


def test_each_edge_begins_a_gap_of_its_own() -> None:
    pairs = np.stack([np.zeros(len(EDGES_S), dtype=np.int64), EDGES_S], axis=1)
    shorter = np.stack([pairs[:, 0], EDGES_S - 1], axis=1)
    assert gaps(pairs)[:, 1].tolist() == [*range(2, GAPS)]
    assert gaps(shorter)[:, 1].tolist() == [*range(1, GAPS - 1)]
