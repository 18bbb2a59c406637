"""From sessions to the sources and their blend. Every choice is made on held-out sessions of the
training file; then all sources learn from all of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from millstream.model.sessions.blend import BlendWeights
from millstream.model.sessions.encoder import Encoder, EncoderArrays
from millstream.model.sessions.item_item import ItemItem
from millstream.model.sessions.popularity import Popularity
from millstream.model.sessions.repeats import Repeats
from millstream.model.sessions.session_knn import KnnRule, SessionKnn, index
from millstream.model.sessions.session_log import SessionLog
from millstream.model.sessions.source import Source
from millstream.trainer.sessions.choose import choose_knn
from millstream.trainer.sessions.counted import popularity_shares, repeat_shares
from millstream.trainer.sessions.data import Questions, hold_out, questions, sample
from millstream.trainer.sessions.fit_blend import BlendRule, fit_blend
from millstream.trainer.sessions.fit_encoder import EncoderFit, EncoderRule
from millstream.trainer.sessions.item_pairs import LinearRule, PairRule, covisitation, linear

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FitRule:
    """`held_out`: the share of touches in the last sessions that choices are made on;
    `choosing_rows`, `blending_rows`: how many questions of them. `last_epochs`, `last_rate`: the
    encoder's further training once they are in."""

    encoder: EncoderRule = field(default_factory=EncoderRule)
    pairs: PairRule = field(default_factory=PairRule)
    linear: LinearRule = field(default_factory=LinearRule)
    blend: BlendRule = field(default_factory=BlendRule)
    held_out: float = 0.06
    choosing_rows: int = 3_000
    blending_rows: int = 15_000
    last_epochs: int = 1
    last_rate: float = 1e-3
    item_scale: float = 2.0
    """Touches after which an item of the session weighs 1/e in the item-to-item sources."""


@dataclass(frozen=True, slots=True)
class Fitted:
    sources: Mapping[str, Source]
    weights: BlendWeights
    losses: tuple[float, ...]
    """The encoder's, epoch by epoch."""


def fit(train: SessionLog, items: int, least: int, rule: FitRule, seed: int, told: Told) -> Fitted:
    """`least`: touches of the shortest question. Blocks for minutes; memory grows with the
    catalogue and the log, not with their product."""
    rng = np.random.default_rng(seed)
    before, after = hold_out(train, rule.held_out)
    held = questions(after, least)
    knn = choose_knn(before, index(before, items), sample(held, rule.choosing_rows, rng))
    told(f"nearest sessions: {knn}")
    encoder = EncoderFit(items, rule.encoder, seed)
    losses = encoder.run(before, rule.encoder.epochs, rule.encoder.rate, told)
    sources = _sources(before, items, least, (rule, knn, encoder.arrays()))
    weights = fit_blend(sources, sample(held, rule.blending_rows, rng), rule.blend)
    told(f"blend: {_mean_weights(weights)}")
    losses += encoder.run(train, rule.last_epochs, rule.last_rate, told)
    sources = _sources(train, items, least, (rule, knn, encoder.arrays()))
    return Fitted(sources, weights, tuple(losses))


def _sources(
    log: SessionLog, items: int, least: int, chosen: tuple[FitRule, KnnRule, EncoderArrays]
) -> dict[str, Source]:
    rule, knn, arrays = chosen
    asked: Questions = questions(log, least)
    return {
        "encoder": Encoder(arrays),
        "session_knn": SessionKnn(log, index(log, items), knn),
        "covisitation": ItemItem(covisitation(log, items, rule.pairs), rule.item_scale),
        "linear": ItemItem(linear(log, items, rule.linear), rule.item_scale),
        "repeats": Repeats(repeat_shares(asked), items),
        "popularity": Popularity(popularity_shares(log, items, rule.pairs.recency_scale)),
    }


def _mean_weights(weights: BlendWeights) -> str:
    means = weights.weights.mean(axis=0)
    return ", ".join(f"{name} {m:.2f}" for name, m in zip(weights.features, means, strict=True))
