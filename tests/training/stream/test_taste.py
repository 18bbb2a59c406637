from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from tests.builders import event

from millstream.domain.events import EventType
from millstream.model.embeddings import Embeddings, FloatArray, ServingRule
from millstream.trainer.encode import encode
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.settings import Training
from millstream.trainer.stream.rows import Row, rows_of
from millstream.trainer.stream.taste import Drawing, LivingTaste, StepRule, gradients

_TRAINING = Training(8, 256, 3, 0.01, 4, 0.25, 0.1, 1)


def _taste(factorise: Fit, lines: pl.DataFrame, rate: float, negatives: int = 4) -> LivingTaste:
    weighed = lines.with_columns(pl.lit(1.0, dtype=pl.Float32).alias("weight"))
    data = encode(weighed, 24)
    fitted = factorise(data, _TRAINING, lambda _: False, None)
    model = assemble(data, fitted, ServingRule(24, 3.0, 0.5), 0.1)
    rule = StepRule(rate, negatives)
    return LivingTaste(model, Drawing.of(data, 1.0, rule), rule, seed=3)


def _rows() -> list[Row]:
    """A new shopper looks at tea, then at a new thing; an old one at tea; a stranger at nothing
    known."""
    return list(
        rows_of(
            [
                event("1", "new", "tea-1"),
                event("2", "new", "tea-2"),
                event("3", "new", "fresh", kind=EventType.PURCHASE),
                event("4", "s0", "tea-3"),
                event("5", "stranger", "odd"),
            ]
        )
    )


def _logit(taste: LivingTaste, row: Row, item: str) -> float:
    scorer = taste.scorer
    vectors, _ = scorer.user_vectors([(row.shopper, [t.item_id for t in row.recent])])
    return float(scorer.scores(vectors, taste.model.items.rows([item]))[0, 0])


def test_gradients_are_those_of_the_cross_entropy(factorise: Fit, two_tastes: pl.DataFrame) -> None:
    model = _taste(factorise, two_tastes, 0.1).model
    rng = np.random.default_rng(8)
    users, items = rng.normal(0, 0.5, (2, 5, 8)).astype(np.float32)
    labels = np.array([1, 0, 1, 0, 1], dtype=np.float32)
    by_user, by_item = gradients(model, users, items, labels)
    for line in range(5):
        for place in range(8):
            towards = np.zeros_like(users)
            towards[line, place] = 1e-3
            slope = _slope(lambda u: _loss(model, u, items, labels), users, towards)
            np.testing.assert_allclose(by_user[line, place], slope, atol=2e-3)
            slope = _slope(lambda i: _loss(model, users, i, labels), items, towards)
            np.testing.assert_allclose(by_item[line, place], slope, atol=2e-3)


def _loss(model: Embeddings, users: FloatArray, items: FloatArray, labels: FloatArray) -> float:
    logits = model.dense_weight * (users * items).sum(axis=1, dtype=np.float64) + model.dense_bias
    return float((np.log1p(np.exp(logits)) - labels * logits).sum())


def _slope(loss: Callable[[FloatArray], float], at: FloatArray, towards: FloatArray) -> float:
    return (loss(at + towards) - loss(at - towards)) / (2 * float(towards.max()))


def test_what_is_touched_becomes_likelier(factorise: Fit, two_tastes: pl.DataFrame) -> None:
    taste = _taste(factorise, two_tastes, 0.05, negatives=0)
    row = _rows()[3]
    before = _logit(taste, row, "tea-3")
    for _ in range(5):
        taste.learn([row])
    assert _logit(taste, row, "tea-3") > before + 0.05


def test_a_new_item_begins_where_its_first_shopper_was(
    factorise: Fit, two_tastes: pl.DataFrame
) -> None:
    taste = _taste(factorise, two_tastes, 0.0)
    taste.learn(_rows())
    model = taste.model
    fresh, odd = model.items.row("fresh"), model.items.row("odd")
    assert odd == -1  # nothing was known of who looked at it
    tea, tool = (
        float(np.mean([_logit(taste, row, "fresh") for row in rows]))
        for rows in (_visits("tea"), _visits("tool"))
    )
    assert fresh == len(model.items) - 1
    assert tea > tool


def _visits(thing: str) -> list[Row]:
    events = [event(f"{n}", f"new-{thing}", f"{thing}-{n}") for n in range(8)]
    return list(rows_of(events))[4:]


def test_a_copy_learns_on_its_own(factorise: Fit, two_tastes: pl.DataFrame) -> None:
    taste = _taste(factorise, two_tastes, 0.1)
    held = taste.model.item_vectors.copy(), taste.model.user_vectors.copy()
    copy = taste.copy()
    copy.learn(_rows())
    np.testing.assert_array_equal(taste.model.item_vectors, held[0])
    np.testing.assert_array_equal(taste.model.user_vectors, held[1])
    assert "fresh" in copy.model.items
    assert "fresh" not in taste.model.items
    assert not np.array_equal(copy.model.user_vectors, held[1])
