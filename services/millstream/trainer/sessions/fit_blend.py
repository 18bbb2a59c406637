"""Fits the blend on sessions that no source has seen: multinomial logistic regression over each
session's candidates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from millstream.model.sessions.blend import LENGTH_BOUNDS, BlendWeights, buckets
from millstream.model.sessions.candidates import (
    BLOCK,
    Candidates,
    answers,
    candidates,
    feature_names,
)
from millstream.model.sessions.ragged import Floats, Ints
from millstream.model.sessions.session_log import offsets
from millstream.model.sessions.source import Source
from millstream.trainer.sessions.data import Questions

_RATES = (0.9, 0.99)


@dataclass(frozen=True, slots=True)
class BlendRule:
    """`depth`: candidates from each source. `shrinkage` keeps weights small, `bucket_shrinkage`
    those that one bucket of lengths has of its own."""

    depth: int = 60
    steps: int = 200
    rate: float = 0.05
    shrinkage: float = 1e-4
    bucket_shrinkage: float = 1e-3


def gather(sources: Mapping[str, Source], asked: Questions, depth: int) -> tuple[Candidates, Ints]:
    """The candidates of all sessions whose target is among them, and (n,) their targets."""
    parts, targets = [], []
    for first, block in enumerate(asked.sessions.blocks(BLOCK)):
        found = candidates(answers(sources, block), block, depth)
        wanted = asked.targets[first * BLOCK : first * BLOCK + len(block)]
        hit = np.zeros(len(block), dtype=bool)
        hit[found.session[found.item == wanted[found.session]]] = True
        kept, number = hit[found.session], np.cumsum(hit) - 1
        parts.append(
            Candidates(
                number[found.session[kept]],
                found.item[kept],
                found.features[kept],
                found.lengths[hit],
            )
        )
        targets.append(wanted[hit])
    return _joined(parts), np.concatenate(targets)


def fit_blend(sources: Mapping[str, Source], asked: Questions, rule: BlendRule) -> BlendWeights:
    """Raises ValueError where no session's target is among the candidates."""
    found, targets = gather(sources, asked, rule.depth)
    if len(targets) == 0:
        raise ValueError("no source finds a single target of the held-out sessions")
    spread = found.features.std(axis=0) + 1e-6
    weights = _ascend(found, found.features / spread, targets, rule) / spread
    return BlendWeights(feature_names(sources), weights.astype(np.float32))


def _ascend(found: Candidates, features: Floats, targets: Ints, rule: BlendRule) -> Floats:
    """(buckets, f) weights: shared ones plus each bucket's own, by Adam over all rows at once."""
    bucket = buckets(found.lengths)
    first = np.searchsorted(found.session, np.arange(len(targets)))
    wanted = (found.item == targets[found.session]).astype(np.float64)
    table = np.zeros((len(LENGTH_BOUNDS) + 2, features.shape[1]))  # the last row is shared
    moments = [np.zeros_like(table) for _ in _RATES]
    shrink = np.full((len(table), 1), rule.bucket_shrinkage)
    shrink[-1] = rule.shrinkage
    for step in range(1, rule.steps + 1):
        by_session = (table[:-1] + table[-1])[bucket]
        shares = _softmax((features * by_session[found.session]).sum(axis=1), found.session, first)
        slope = np.add.reduceat(features * (shares - wanted)[:, None], first) / len(targets)
        gradient = shrink * table
        np.add.at(gradient, bucket, slope)
        gradient[-1] += slope.sum(axis=0)
        for power, (moment, kept) in enumerate(zip(moments, _RATES, strict=True), start=1):
            np.add(moment, (1 - kept) * (gradient**power - moment), out=moment)
        mean, square = (m / (1 - k**step) for m, k in zip(moments, _RATES, strict=True))
        table -= rule.rate * mean / (np.sqrt(square) + 1e-8)
    return np.asarray(table[:-1] + table[-1], dtype=np.float64)


def _softmax(logits: Floats, session: Ints, first: Ints) -> Floats:
    raised = np.exp(logits - np.maximum.reduceat(logits, first)[session])
    return np.asarray(raised / np.add.reduceat(raised, first)[session], dtype=np.float64)


def _joined(parts: list[Candidates]) -> Candidates:
    before = offsets(np.array([len(part.lengths) for part in parts]))
    return Candidates(
        np.concatenate([part.session + n for part, n in zip(parts, before[:-1], strict=True)]),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )
