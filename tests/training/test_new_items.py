"""What nobody touched stands where its text belongs, and changes nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from tests.encoders import mean_encoder, unit

from millstream.domain.catalogue import CatalogueItem
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.indexing import asked_vectors
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.trainer import new_items
from millstream.trainer.new_items import LEAST_TAUGHT, with_new_items

KINDS = ("tea", "lamp", "scarf", "drill")
ADDED = datetime(2026, 1, 1, tzinfo=UTC)


def item(kind: str, number: int, hidden: bool = False) -> CatalogueItem:
    title = f"{kind} number {number}"
    return CatalogueItem(item_id=f"{kind}-{number}", title=title, added_at=ADDED, hidden=hidden)


CATALOGUE = {one.item_id: one for kind in KINDS for one in (item(kind, n) for n in range(80))}
NEW = {f"{kind}-{number}" for kind in KINDS for number in range(70, 80)}


@pytest.fixture
def parts() -> Embeddings:
    """Items of a kind lie near each other; the last ten of each kind were not trained."""
    rng = np.random.default_rng(7)
    trained = sorted(set(CATALOGUE) - NEW)
    places = np.eye(4)[[KINDS.index(name.split("-")[0]) for name in trained]]
    vectors = (3 * places + 0.2 * rng.normal(size=places.shape)).astype(np.float32)
    return Embeddings(
        users=Vocabulary(["ann"]),
        items=Vocabulary(trained),
        user_vectors=vectors[:1],
        item_vectors=vectors,
        recent_to_user=np.eye(5, 4, dtype=np.float32),
        dense_weight=1.0,
        dense_bias=0.0,
        rule=ServingRule(24, 10.0, 1.0),
    )


def nearest_new(parts: Embeddings, touched: str) -> set[str]:
    scorer = Scorer(parts)
    vectors, _ = scorer.user_vectors([("somebody", [touched])])
    rows, _ = scorer.nearest(vectors, len(scorer.items))
    new = [scorer.items[row] for row in rows[0] if scorer.items[row] in NEW]
    return {name.split("-")[0] for name in new[:10]}


def encoded(parts: Embeddings) -> Embeddings:
    items = unit(parts.item_vectors)
    return replace(parts, item_vectors=items, dense_weight=2.0, encoder=mean_encoder(items))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [lambda parts: parts, encoded])
def test_a_new_item_lies_among_its_kind(parts: Embeddings, make: object, kind: str) -> None:
    assert callable(make)
    made = with_new_items(make(parts), CATALOGUE)
    assert nearest_new(made, f"{kind}-3") == {kind}


def test_what_was_trained_stays_as_it_is(parts: Embeddings) -> None:
    made = with_new_items(parts, CATALOGUE)
    assert made.items.ids[: len(parts.items)] == parts.items.ids
    assert set(made.items.ids[len(parts.items) :]) == NEW
    np.testing.assert_array_equal(made.item_vectors[: len(parts.items)], parts.item_vectors)
    assert made.item_vectors.dtype == np.float32


def places_of_the_new(parts: Embeddings, made: Embeddings) -> float:
    rows, _ = Scorer(made).nearest(asked_vectors(parts, 400, seed=1), 20)
    return float((rows >= len(parts.items)).mean())


def test_for_an_encoder_they_have_as_many_first_places_as_they_are(parts: Embeddings) -> None:
    made = with_new_items(encoded(parts), CATALOGUE)
    assert made.encoder is not None
    assert made.encoder.items is made.item_vectors
    share = places_of_the_new(encoded(parts), made)
    assert share == pytest.approx(len(NEW) / len(CATALOGUE), abs=0.05)


def test_for_a_dot_product_they_are_no_longer_than_what_was_trained(parts: Embeddings) -> None:
    made = with_new_items(parts, CATALOGUE)
    lengths = np.linalg.norm(made.item_vectors, axis=1)
    assert lengths[len(parts.items) :].mean() <= lengths[: len(parts.items)].mean() * 1.001
    assert 0 < places_of_the_new(parts, made) < len(NEW) / len(CATALOGUE) + 0.05


def test_hidden_items_and_those_without_a_text_get_none(parts: Embeddings) -> None:
    silent = CatalogueItem(item_id="silent", added_at=ADDED)
    shown = {**CATALOGUE, "silent": silent, "secret": item("tea", 90, hidden=True)}
    made = with_new_items(parts, shown)
    assert set(made.items.ids) == set(CATALOGUE)


def test_of_very_many_those_added_last_get_one(
    parts: Embeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_items, "MOST", 290)
    later = ADDED + timedelta(days=1)
    many = {
        f"tea-9{n}": CatalogueItem(item_id=f"tea-9{n}", title="tea", added_at=later)
        for n in range(300)
    }
    made = with_new_items(parts, CATALOGUE | many)
    assert len(made.items) == len(parts.items) + 290
    assert set(made.items.ids[len(parts.items) :]) <= set(many)


@pytest.mark.parametrize(
    "catalogue",
    [
        {},
        {name: CATALOGUE[name] for name in sorted(NEW)},
        {name: one for name, one in CATALOGUE.items() if name not in NEW},
        dict(list(CATALOGUE.items())[: LEAST_TAUGHT // 2]),
    ],
)
def test_where_there_is_nothing_to_learn_from_or_to_guess_it_stays(
    parts: Embeddings, catalogue: Mapping[str, CatalogueItem]
) -> None:
    assert with_new_items(parts, catalogue) is parts
