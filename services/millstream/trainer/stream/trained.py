"""The production training on what a recording held before the first question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from typing import NamedTuple

import polars as pl

from millstream.model.embeddings import Embeddings
from millstream.model.scorer import Scorer
from millstream.trainer.clean import clean
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.evaluate import choose_rule
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.settings import Cleaning, Measuring, Training
from millstream.trainer.split import Query
from millstream.trainer.stream.rows import Row
from millstream.trainer.stream.scores import K
from millstream.trainer.stream.taste import Drawing, LivingTaste, StepRule, StillTaste

_CHOOSING = 500
_RATES = (0.01, 0.03, 0.1)
_ROWS_A_TURN = 100


@dataclass(frozen=True, slots=True)
class TasteRule:
    """The trainer's settings, and what goes beyond them: the newest `lines` are trained on.
    `encoder`: by which a session encoder is trained, too; None: it is not."""

    training: Training
    cleaning: Cleaning
    measuring: Measuring
    steps: StepRule = field(default_factory=StepRule)
    lines: int = 100_000
    encoder: Training | None = None


class _Trained(NamedTuple):
    """`lines` (m, 6) as stage 2 gives them."""

    lines: pl.DataFrame
    data: Interactions
    model: Embeddings


def train_taste(
    before: Sequence[Row], held_out: Sequence[Row], rule: TasteRule, fit: Fit
) -> LivingTaste:
    """How recent items count, and how far an event moves the arrays, is chosen on `held_out`, which
    is later and has what it wants in every row. Blocks for minutes."""
    made = _train(before, held_out, rule, rule.training, fit)
    mean_weight = float(made.lines["weight"].to_numpy().mean())
    drawing = Drawing.of(made.data, mean_weight, rule.steps, rule.cleaning.event_weights)
    taste = LivingTaste(made.model, drawing, rule.steps, rule.training.seed)
    return taste.copy(_choose_steps(taste, held_out))


def train_encoder(
    before: Sequence[Row], held_out: Sequence[Row], rule: TasteRule, fit: Fit
) -> StillTaste | None:
    """As `train_taste`, by `rule.encoder`. Blocks for minutes."""
    if rule.encoder is None:
        return None
    return StillTaste(Scorer(_train(before, held_out, rule, rule.encoder, fit).model))


def _train(
    before: Sequence[Row], held_out: Sequence[Row], rule: TasteRule, training: Training, fit: Fit
) -> _Trained:
    lines = clean(_lines(before).tail(rule.lines), (), rule.cleaning).lines
    data = encode(lines, rule.measuring.recent_items)
    fitted = fit(data, training, lambda _: False, None)
    serving = choose_rule(data, fitted, _queries(held_out), training.ridge, rule.measuring)
    return _Trained(lines, data, assemble(data, fitted, serving, training.ridge))


def _choose_steps(taste: LivingTaste, held_out: Sequence[Row]) -> StepRule:
    """By what the taste alone finds while it learns."""
    rules = [replace(taste.rule, rate=rate) for rate in _RATES]
    return max(rules, key=lambda rule: _found(taste.copy(rule), held_out))


def _found(taste: LivingTaste, rows: Sequence[Row]) -> float:
    """The mean share of what a row wants that stands among the first K, test then train."""
    shares = 0.0
    for start in range(0, len(rows), _ROWS_A_TURN):
        turn = rows[start : start + _ROWS_A_TURN]
        scorer = taste.scorer
        asked = [(row.shopper, row.recent) for row in turn]
        vectors, known = scorer.user_vectors(asked)
        nearest = scorer.nearest(vectors, K)[0]
        for row, line in zip(compress(turn, known), nearest[known].tolist(), strict=True):
            shares += len(set(row.wanted) & {scorer.items[item] for item in line}) / len(row.wanted)
        taste.learn(turn)
    return shares / max(1, len(rows))


def _lines(rows: Sequence[Row]) -> pl.DataFrame:
    columns = ("user", "event_id", "type", "item", "time_ms")
    return pl.DataFrame(
        [
            (row.shopper, row.event.event_id, str(row.event.type), item, row.time_ms)
            for row in rows
            for item in row.wanted
        ],
        schema=columns,
        orient="row",
    )


def _queries(rows: Sequence[Row]) -> list[Query]:
    step = max(1, len(rows) // _CHOOSING)
    return [
        Query(
            row.shopper,
            row.time_ms,
            tuple((touch.item_id, str(touch.type), touch.time_ms) for touch in row.recent),
            frozenset(row.wanted),
        )
        for row in rows[::step]
    ]
