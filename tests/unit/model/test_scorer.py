"""Serving says what the arrays say: who is known, what lies near, in which order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.encoders import mean_encoder, told_tables, unit

from millstream.domain.events import EventType
from millstream.features.recent_items import Touch
from millstream.model.embeddings import (
    Embeddings,
    ServingRule,
    fit_recent_to_user,
    recent_means,
)
from millstream.model.indexing import with_index
from millstream.model.recent import Recent
from millstream.model.scorer import Scorer, Shopper, probability
from millstream.model.sessions.encoder import BLOCK, Encoder
from millstream.model.sessions.session_log import session_log
from millstream.model.sessions.told import KIND, NEVER, UNTOLD, Told
from millstream.model.vocabulary import Vocabulary


def test_who_is_known(parts: Embeddings) -> None:
    scorer = Scorer(parts)
    vectors, known = scorer.user_vectors(
        [("ann", []), ("eve", ["item-3"]), ("eve", []), ("eve", ["gone"]), ("bob", ["item-1"])]
    )
    assert known.tolist() == [True, True, False, False, True]
    np.testing.assert_array_equal(vectors[0], parts.user_vectors[0])
    np.testing.assert_array_equal(vectors[2], 0)
    np.testing.assert_array_equal(vectors[3], 0)


def test_a_stranger_is_the_recent_items_alone(parts: Embeddings) -> None:
    vectors, _ = Scorer(parts).user_vectors([("eve", ["item-3", "item-8"])])
    heavier, lighter = 1.0, 0.5**0.1
    mean = (heavier * parts.item_vectors[3] + lighter * parts.item_vectors[8]) / (heavier + lighter)
    expected = np.append(mean, 1) @ parts.recent_to_user
    np.testing.assert_allclose(vectors[0], expected, rtol=1e-5)


def test_a_click_moves_a_trained_shopper_by_the_share(parts: Embeddings) -> None:
    scorer = Scorer(replace(parts, rule=ServingRule(24, 10.0, 0.25)))
    vectors, _ = scorer.user_vectors([("eve", ["item-3"]), ("ann", ["item-3"])])
    expected = 0.25 * vectors[0] + 0.75 * parts.user_vectors[0]
    np.testing.assert_allclose(vectors[1], expected, rtol=1e-5)


def test_only_the_newest_items_count(parts: Embeddings) -> None:
    scorer = Scorer(replace(parts, rule=ServingRule(2, 10.0, 0.5)))
    vectors, _ = scorer.user_vectors(
        [("eve", ["item-1", "item-2"]), ("eve", ["item-1", "item-2", "item-9"])]
    )
    np.testing.assert_array_equal(vectors[0], vectors[1])


def test_an_encoder_reads_the_recent_items(encoded: Embeddings) -> None:
    vectors, known = Scorer(encoded).user_vectors(
        [("eve", ["item-3", "item-8"]), ("eve", []), ("ann", ["item-3"]), ("bob", [])]
    )
    assert known.tolist() == [True, False, True, True]
    mean = unit(encoded.item_vectors[3] + encoded.item_vectors[8])
    np.testing.assert_allclose(vectors[0], mean, rtol=1e-5)
    np.testing.assert_array_equal(vectors[1], 0)
    own = 0.5 * encoded.item_vectors[3] + 0.5 * encoded.user_vectors[0]
    np.testing.assert_allclose(vectors[2], own, rtol=1e-5)
    np.testing.assert_array_equal(vectors[3], encoded.user_vectors[1])


def test_an_encoder_is_told_the_newest_items_oldest_first(encoded: Embeddings) -> None:
    assert encoded.encoder is not None
    newest = np.array([0, -50, -50, -50, -50, -50, -50, -50], dtype=np.float32)
    forgetful = replace(encoded.encoder, pool_distance=newest)
    scorer = Scorer(replace(encoded, encoder=forgetful, rule=ServingRule(2, 10.0, 1.0)))
    vectors, _ = scorer.user_vectors([("eve", ["item-3", "item-8", "item-9"])])
    np.testing.assert_allclose(vectors[0], encoded.item_vectors[3], rtol=1e-5)


def test_an_encoder_is_told_the_kind_and_time_of_what_it_knows(encoded: Embeddings) -> None:
    """A touch of an item that the version lacks is passed over with all that is told of it."""
    rng = np.random.default_rng(6)
    assert encoded.encoder is not None
    drawn = {
        name: rng.normal(size=getattr(encoded.encoder, name).shape).astype(np.float32)
        for name in BLOCK
    }
    tables = told_tables(4, lambda shape: rng.normal(size=shape))
    taught = replace(encoded.encoder, **drawn, **tables)
    recent: list[Recent] = [
        Touch("item-3", EventType.PURCHASE, 90_000),
        Touch("gone", EventType.ADD_TO_CART, 70_000),
        Touch("item-8", EventType.VIEW_ITEM, 21_999),
        "item-9",
        Touch("item-4", EventType.VIEW_ITEM, 1_000),
    ]
    look, bought = KIND[EventType.VIEW_ITEM], KIND[EventType.PURCHASE]
    told = Told(np.array([UNTOLD, look, bought]), np.array([NEVER, 21, 90]))
    expected = Encoder(taught).vectors(session_log([[9, 8, 3]], told))
    scorer = Scorer(replace(encoded, encoder=taught, rule=ServingRule(3, 10.0, 1.0)))
    asked: list[Shopper] = [("eve", recent), ("eve", ["item-3", "item-8", "item-9"])]
    vectors, _ = scorer.user_vectors(asked)
    np.testing.assert_allclose(vectors[0], expected[0], rtol=1e-4)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_what_else_is_told_changes_nothing_where_it_was_not_learnt(
    parts: Embeddings, encoded: Embeddings
) -> None:
    told = [Touch("item-3", EventType.PURCHASE, 9_000), Touch("item-8", EventType.VIEW_ITEM, 1_000)]
    asked: list[Shopper] = [("eve", told), ("eve", ["item-3", "item-8"])]
    for version in (parts, encoded):
        vectors, _ = Scorer(version).user_vectors(asked)
        np.testing.assert_allclose(vectors[0], vectors[1], rtol=1e-5)


def test_an_index_moves_the_items_of_an_encoder_too(encoded: Embeddings) -> None:
    rng = np.random.default_rng(5)
    circles = rng.normal(size=(8, 4))[rng.integers(8, size=2_000)]
    items = unit((circles + 0.05 * rng.normal(size=(2_000, 4))).astype(np.float32))
    many = replace(
        encoded,
        items=Vocabulary([f"item-{row}" for row in range(len(items))]),
        item_vectors=items,
        encoder=mean_encoder(items),
    )
    indexed = with_index(many, seed=1)
    assert indexed is not None
    assert indexed.items.ids != many.items.ids
    asked = [("eve", ["item-3", "item-8"])]
    before, after = (Scorer(parts).user_vectors(asked)[0] for parts in (many, indexed))
    np.testing.assert_allclose(before, after, rtol=1e-5)


def test_no_shoppers_and_no_items_asked(parts: Embeddings, encoded: Embeddings) -> None:
    assert Scorer(encoded).user_vectors([])[0].shape == (0, 4)
    scorer = Scorer(parts)
    vectors, known = scorer.user_vectors([])
    assert (vectors.shape, known.shape) == ((0, 4), (0,))
    assert scorer.nearest(vectors, 5)[0].shape == (0, 5)
    assert scorer.nearest(parts.user_vectors, 0)[0].shape == (3, 0)
    assert scorer.nearest(parts.user_vectors, 99)[0].shape == (3, 30)


@pytest.mark.parametrize("weight", [1.5, -1.5])
def test_nearest_is_the_order_of_probability_whatever_the_weights_sign(
    parts: Embeddings, weight: float
) -> None:
    scorer = Scorer(replace(parts, dense_weight=weight))
    rows, logits = scorer.nearest(parts.user_vectors, 7)
    every = scorer.scores(parts.user_vectors, np.arange(30, dtype=np.int32))
    np.testing.assert_array_equal(rows, np.argsort(-every, axis=1, kind="stable")[:, :7])
    np.testing.assert_allclose(logits, np.take_along_axis(every, rows, axis=1), rtol=1e-5)
    assert (np.diff(probability(logits), axis=1) <= 0).all()


@given(
    values=st.lists(st.integers(-3, 3), min_size=1, max_size=40),
    k=st.integers(0, 45),
)
def test_equal_scores_stand_in_the_order_of_rows(values: list[int], k: int) -> None:
    size = len(values)
    scorer = Scorer(
        Embeddings(
            users=Vocabulary(["u"]),
            items=Vocabulary([str(row) for row in range(size)]),
            user_vectors=np.ones((1, 1), dtype=np.float32),
            item_vectors=np.array(values, dtype=np.float32)[:, None],
            recent_to_user=np.zeros((2, 1), dtype=np.float32),
            dense_weight=1.0,
            dense_bias=0.0,
            rule=ServingRule(24, 10.0, 0.5),
        )
    )
    rows, _ = scorer.nearest(np.ones((1, 1), dtype=np.float32), k)
    assert rows[0].tolist() == sorted(range(size), key=lambda row: (-values[row], row))[:k]


def test_blocks_cover_every_shopper_once(
    parts: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Scorer(parts).nearest(parts.user_vectors, 4)[0]
    monkeypatch.setattr("millstream.model.scorer._BLOCK_SCORES", 40)  # one shopper at a time
    np.testing.assert_array_equal(Scorer(parts).nearest(parts.user_vectors, 4)[0], whole)


def test_probability_does_not_overflow() -> None:
    found = probability(np.array([-1e30, -1.0, 0.0, 1.0, 1e30], dtype=np.float32))
    np.testing.assert_allclose(found, [0, 0.2689414, 0.5, 0.7310586, 1], atol=1e-6)


def test_the_map_from_recent_items_finds_a_linear_truth() -> None:
    rng = np.random.default_rng(1)
    items, truth = rng.normal(size=(50, 3)).astype(np.float32), rng.normal(size=(4, 3))
    recent = [rng.integers(50, size=5).tolist() for _ in range(400)]
    means = recent_means(items, recent, ServingRule(24, 10.0, 0.5))
    found = fit_recent_to_user(means, (means @ truth).astype(np.float32), ridge=1e-7)
    np.testing.assert_allclose(found, truth, atol=1e-2)


def test_the_map_exists_where_nobody_touched_anything() -> None:
    means = np.zeros((3, 5), dtype=np.float32)
    found = fit_recent_to_user(means, np.ones((3, 4), dtype=np.float32), ridge=0.1)
    np.testing.assert_array_equal(found, 0)


def test_an_id_twice_is_no_vocabulary() -> None:
    with pytest.raises(ValueError, match="twice"):
        Vocabulary(["a", "b", "a"])


def test_vocabulary_is_a_bijection() -> None:
    names = Vocabulary(["b", "a"])
    assert [names[row] for row in names.rows(["a", "b"])] == ["a", "b"]
    assert names.rows(["x", "a"]).tolist() == [-1, 1]
    assert names.known_rows(["x", "a"]) == [1]
    assert ("a" in names, "x" in names, names.row("x"), len(names)) == (True, False, -1, 2)
