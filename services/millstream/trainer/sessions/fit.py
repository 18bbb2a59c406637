"""From sessions to the sources and their blend. Every choice is made on held-out sessions of the
training file; then all sources learn from all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from millstream.model.sessions.blend import BlendNetwork
from millstream.model.sessions.candidates import POPULARITY, TREND, feature_names
from millstream.model.sessions.encoder import Encoder, EncoderArrays
from millstream.model.sessions.popularity import Popularity
from millstream.model.sessions.repeats import Repeats
from millstream.model.sessions.session_knn import SessionKnn, index
from millstream.model.sessions.session_log import SessionLog
from millstream.model.sessions.source import Source
from millstream.trainer.sessions.choose import Chosen, choose, reached
from millstream.trainer.sessions.counted import popularity_shares, repeat_shares
from millstream.trainer.sessions.data import Questions, hold_out, questions, sample
from millstream.trainer.sessions.fit_blend import BlendRule, fit_blend, gather
from millstream.trainer.sessions.fit_encoder import EncoderFit, EncoderRule
from millstream.trainer.sessions.item_pairs import LinearRule, covisitation, linear
from millstream.trainer.sessions.start_vectors import StartRule, start_vectors

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FitRule:
    """`held_out`: the share of touches in the last sessions that choices are made on;
    `choosing_rows`, `blending_rows`: how many questions of them. `last_epochs`, `last_rate`: the
    encoder's further training once they are in. `popular`, `trend`: after which share of the log
    a touch weighs 1/e."""

    encoder: EncoderRule = field(default_factory=EncoderRule)
    start: StartRule = field(default_factory=StartRule)
    linear: LinearRule = field(default_factory=LinearRule)
    blend: BlendRule = field(default_factory=BlendRule)
    held_out: float = 0.06
    choosing_rows: int = 2_000
    blending_rows: int = 24_000
    last_epochs: int = 1
    last_rate: float = 1e-3
    popular: float = 2.0
    trend: float = 0.03


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What the encoder reaches on held-out sessions after so much of its training."""

    cpu_minutes: float
    hr_at_20: float
    mrr_at_20: float


@dataclass(frozen=True, slots=True)
class Fitted:
    sources: Mapping[str, Source]
    network: BlendNetwork
    losses: tuple[float, ...]
    """The encoder's, epoch by epoch."""
    curve: tuple[CurvePoint, ...]


def fit(train: SessionLog, items: int, least: int, rule: FitRule, seed: int, told: Told) -> Fitted:
    """`least`: touches of the shortest question. Blocks for minutes; memory grows with the
    catalogue and the log, not with their product."""
    rng = np.random.default_rng(seed)
    before, after = hold_out(train, rule.held_out)
    held = questions(after, least)
    choosing = sample(held, rule.choosing_rows, rng)
    chosen = choose(before, items, choosing, told)
    start = start_vectors(before, items, rule.encoder.network.dimensions, rng, rule.start)
    encoder = EncoderFit(start, rule.encoder, seed)
    curve = _Curve(encoder, choosing, told)
    losses = encoder.run(before, rule.encoder.epochs, rule.encoder.rate, curve.add)
    sources = _sources(before, items, least, (rule, chosen, encoder.arrays()))
    asked = sample(held, rule.blending_rows, rng)
    gathered = gather(sources, asked, rule.blend.depth)
    told(f"the blend learns from {len(gathered.wanted)} candidates")
    network = fit_blend(feature_names(sources), gathered, rule.blend, seed)
    encoder.join(train, np.unique(before.items), rule.start)
    losses += encoder.run(train, rule.last_epochs, rule.last_rate, told)
    sources = _sources(train, items, least, (rule, chosen, encoder.arrays()))
    return Fitted(sources, network, tuple(losses), tuple(curve.points))


class _Curve:
    """Follows the encoder's training on held-out questions."""

    def __init__(self, encoder: EncoderFit, asked: Questions, told: Told) -> None:
        self._encoder, self._asked, self._told = encoder, asked, told
        self._began = time.process_time()
        self.points: list[CurvePoint] = []
        self.add("start vectors")

    def add(self, line: str) -> None:
        minutes = (time.process_time() - self._began) / 60
        found = reached(Encoder(self._encoder.arrays()), self._asked)
        self.points.append(CurvePoint(minutes, found["hr_at_20"], found["mrr_at_20"]))
        self._told(f"{line}; held out {found['hr_at_20']:.4f} / {found['mrr_at_20']:.4f}")


def _sources(
    log: SessionLog, items: int, least: int, given: tuple[FitRule, Chosen, EncoderArrays]
) -> dict[str, Source]:
    rule, chosen, arrays = given
    asked = questions(log, least)
    return {
        "encoder": Encoder(arrays),
        "session_knn": SessionKnn(log, index(log, items), chosen.knn),
        "covisitation": covisitation(log, items, chosen.covisitation),
        "transitions": covisitation(log, items, chosen.transitions),
        "linear": linear(log, items, rule.linear),
        "repeats": Repeats(repeat_shares(asked), items),
        POPULARITY: Popularity(popularity_shares(log, items, rule.popular)),
        TREND: Popularity(popularity_shares(log, items, rule.trend)),
    }
