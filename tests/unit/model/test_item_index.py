"""An index finds nearly what exact search finds, with true scores, and is left out where it would
not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from benchmarks.made_vectors import Made, make

from millstream.model.clustering import fit_centres, nearest_centres
from millstream.model.embeddings import Embeddings, ItemIndex
from millstream.model.golden import check_golden
from millstream.model.indexing import (
    TARGET_RECALL,
    asked_vectors,
    recall_of,
    top_k_of,
    with_index,
)
from millstream.model.item_index import search
from millstream.model.scorer import MANY, Scorer
from millstream.model.vocabulary import Vocabulary


@cache
def made() -> Made:
    return make(items=4_000, dimensions=16, shoppers=200, seed=1)


@cache
def indexed() -> Embeddings:
    found = with_index(made().parts, seed=1)
    assert found is not None
    return found


def test_items_keep_their_vectors_in_the_new_order() -> None:
    before, after = made().parts, indexed()
    assert after.items.ids != before.items.ids
    rows = before.items.rows(after.items.ids)
    np.testing.assert_array_equal(after.item_vectors, before.item_vectors[rows])
    assert sorted(after.items.ids) == sorted(before.items.ids)


def test_recall_is_what_was_promised_on_shoppers_it_was_not_made_with() -> None:
    parts = indexed()
    queries = made().asking * np.float32(parts.dense_weight)
    exact = top_k_of(parts.item_vectors, queries, 20)
    rows, _ = Scorer(parts).nearest(made().asking, 60)
    assert parts.index is not None
    assert TARGET_RECALL <= parts.index.recall <= 1
    assert recall_of(rows[:, :20], exact) >= 0.98
    looked_at = parts.index.probes / len(parts.index.centres)
    assert looked_at < 1 / 8, "as much is looked at as by exact search"


def test_many_shoppers_of_few_items_are_served_exactly_a_few_through_the_index() -> None:
    parts = indexed()
    many = np.concatenate([made().asking, made().asking])[:MANY]
    exact = Scorer(replace(parts, index=None)).nearest(many, 60)[0]
    few = Scorer(parts).nearest(many[:-1], 60)[0]
    np.testing.assert_array_equal(Scorer(parts).nearest(many, 60)[0], exact)
    assert 0.98 <= recall_of(few[:, :20], exact[:-1, :20]) < 1


@pytest.mark.parametrize("shoppers", [1, 2, 32, 33])
def test_the_same_is_found_however_many_ask_together(shoppers: int) -> None:
    parts = replace(indexed(), index=None)
    alone = [Scorer(parts).nearest(made().asking[n : n + 1], 60) for n in range(shoppers)]
    rows, logits = Scorer(parts).nearest(made().asking[:shoppers], 60)
    np.testing.assert_allclose(logits, np.concatenate([one[1] for one in alone]), rtol=1e-4)
    assert recall_of(rows, np.concatenate([one[0] for one in alone])) > 0.999


@pytest.mark.parametrize("weight", [1.5, -1.5])
def test_every_list_probed_is_exact_search_ties_and_sign_included(weight: float) -> None:
    parts = replace(indexed(), dense_weight=weight)
    doubled = parts.item_vectors.copy()
    doubled[1::2] = doubled[::2]  # every item has a twin with equal scores
    assert parts.index is not None
    everywhere = replace(parts.index, probes=len(parts.index.centres))
    exact = Scorer(replace(parts, item_vectors=doubled, index=None))
    whole = Scorer(replace(parts, item_vectors=doubled, index=everywhere))
    (rows, logits), (expected, true) = (s.nearest(made().asking, 60) for s in (whole, exact))
    np.testing.assert_allclose(logits, true, rtol=1e-4, atol=1e-4)
    # Products of another shape of block may differ in the last bit, which parts some twins.
    assert (rows == expected).mean() > 0.9
    assert recall_of(rows, expected) > 0.999


def test_of_equal_products_the_lower_row_comes_first() -> None:
    items = np.ones((6, 1), dtype=np.float32)
    index = ItemIndex(items[:3], np.array([0, 2, 4, 6], np.int32), probes=3, recall=1.0)
    rows, products, sound = search(index, items, np.ones((2, 1), dtype=np.float32), 4)
    assert rows.tolist() == [[0, 1, 2, 3]] * 2
    assert products.tolist() == [[1.0] * 4] * 2
    assert sound.all()


def test_a_shopper_whose_lists_are_too_short_is_searched_exactly() -> None:
    items = np.array([[3, 0], [2, 0], [1, 0], [0, 1], [0, 2], [0.5, 0.5]], dtype=np.float32)
    index = ItemIndex(
        np.array([[2, 0], [0, 5]], np.float32), np.array([0, 3, 6], np.int32), probes=1, recall=1.0
    )
    short = ItemIndex(index.centres, np.array([0, 1, 6], np.int32), probes=1, recall=1.0)
    queries = np.array([[1, 0], [0, 1]], dtype=np.float32)
    assert search(short, items, queries, 3)[2].tolist() == [False, True]
    scorer = Scorer(
        Embeddings(
            users=Vocabulary(["u"]),
            items=Vocabulary("abcdef"),
            user_vectors=queries[:1],
            item_vectors=items,
            recent_to_user=np.zeros((3, 2), np.float32),
            dense_weight=1.0,
            dense_bias=0.0,
            rule=made().parts.rule,
            index=short,
        )
    )
    assert scorer.nearest(queries, 3)[0].tolist() == [[0, 1, 2], [4, 3, 5]]
    assert scorer.nearest(queries, 6)[0].shape == (2, 6)


def test_the_same_version_answers_the_same_and_passes_the_golden_check() -> None:
    again = with_index(made().parts, seed=1)
    assert again is not None
    first, second = (Scorer(p).nearest(made().asking, 60) for p in (indexed(), again))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    check_golden(Scorer(again))


def test_no_index_where_nothing_is_clustered() -> None:
    """Random vectors of many dimensions: each of the first twenty lies in another list."""
    rng = np.random.default_rng(2)
    parts = make(items=2_000, dimensions=64, shoppers=50, seed=1).parts
    scattered = rng.normal(size=parts.item_vectors.shape).astype(np.float32)
    shoppers = rng.normal(size=parts.user_vectors.shape).astype(np.float32)
    assert with_index(replace(parts, item_vectors=scattered, user_vectors=shoppers), 1) is None


def test_no_index_of_a_handful_of_items(parts: Embeddings) -> None:
    few = replace(parts, items=Vocabulary("abc"), item_vectors=parts.item_vectors[:3])
    assert with_index(few, 1) is None


def test_asked_vectors_are_shoppers_and_strangers() -> None:
    asked = asked_vectors(made().parts, 9, seed=4)
    trained = {line.tobytes() for line in made().parts.user_vectors}
    assert [line.tobytes() in trained for line in asked] == [True] * 5 + [False] * 4


def test_centres_find_clusters_that_lie_apart() -> None:
    rng = np.random.default_rng(3)
    middles = np.array([[0, 0], [50, 0], [0, 50]], dtype=np.float32)
    vectors = middles[np.arange(300) % 3] + rng.normal(size=(300, 2)).astype(np.float32)
    centres = fit_centres(vectors, 12, seed=1)
    nearest = centres[nearest_centres(vectors, centres)]
    assert np.abs(nearest - vectors).max() < 10, "a centre stands between two clusters"
    distances = np.linalg.norm(vectors[:, None] - centres[None], axis=2)
    np.testing.assert_array_equal(nearest_centres(vectors, centres), distances.argmin(axis=1))
