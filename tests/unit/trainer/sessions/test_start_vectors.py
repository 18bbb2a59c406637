from __future__ import annotations

import numpy as np
from tests.unit.trainer.sessions.made_sessions import CIRCLE, made_sessions

from millstream.model.sessions.session_log import session_log
from millstream.trainer.sessions.start_vectors import (
    StartRule,
    averaged,
    joined_by,
    neighbours,
    start_vectors,
)

CIRCLES = 6
ITEMS = CIRCLE * CIRCLES
LOG = session_log([[item - 1 for item in line] for line in made_sessions(400, CIRCLES, seed=0)])
RULE = StartRule()


def test_the_product_is_that_of_the_whole_matrix() -> None:
    graph = neighbours(LOG, ITEMS + 3, RULE)  # three items that nobody touched
    whole = np.zeros((ITEMS + 3, ITEMS + 3))
    rows = np.repeat(np.arange(ITEMS + 3), np.diff(graph.starts))
    whole[rows, graph.columns] = graph.values
    vectors = np.random.default_rng(0).normal(size=(ITEMS + 3, 5)).astype(np.float32)

    np.testing.assert_allclose(averaged(graph, vectors), whole @ vectors, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(whole[:ITEMS].sum(axis=1), 1.0)
    assert not whole[ITEMS:].any()


def test_only_wanted_rows_have_cells_and_those_are_as_ever() -> None:
    wanted = np.arange(ITEMS) % 2 == 0
    vectors = np.random.default_rng(0).normal(size=(ITEMS, 5)).astype(np.float32)

    found = averaged(neighbours(LOG, ITEMS, RULE, wanted), vectors)

    whole = averaged(neighbours(LOG, ITEMS, RULE), vectors)
    np.testing.assert_allclose(found[wanted], whole[wanted], rtol=1e-6)
    assert not found[~wanted].any()
    assert whole[~wanted].any(axis=1).all()


def test_items_of_one_circle_start_nearer_to_each_other_than_to_any_other() -> None:
    found = start_vectors(LOG, ITEMS, 64, np.random.default_rng(0), RULE)

    likeness = (found @ found.T).reshape(CIRCLES, CIRCLE, CIRCLES, CIRCLE).mean(axis=(1, 3))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)
    assert likeness.diagonal().min() > 3 * np.abs(likeness - np.diag(likeness.diagonal())).max()


def test_a_new_item_joins_its_neighbours_and_the_others_stay() -> None:
    vectors = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    log = session_log([[0, 3, 0], [1, 1]])

    found = joined_by(log, vectors, np.array([0, 1]), RULE)

    np.testing.assert_array_equal(found[:2], vectors[:2])
    np.testing.assert_allclose(found[3], vectors[0] / np.linalg.norm(vectors[0]), rtol=1e-5)
    np.testing.assert_array_equal(found[2], vectors[2], "nobody touched it")
