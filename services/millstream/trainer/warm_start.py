"""A training that goes on from the version in service, with what came since: new users and items
join where what they touched, and what was touched with them, already stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from millstream.domain.models import Network
from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.registry import LoadedModel
from millstream.model.scorer import Scorer
from millstream.model.sessions.session_log import SessionLog
from millstream.model.vocabulary import UNKNOWN, Vocabulary
from millstream.trainer.encode import Interactions, Start, encode
from millstream.trainer.sessions.start_vectors import StartRule, joined_by
from millstream.trainer.settings import TrainerSettings


@dataclass(frozen=True, slots=True)
class Begun:
    """The version that the next one goes on from, and the latest event time that it has seen."""

    version: LoadedModel
    seen_until_ms: int

    def going_on(self, lines: pl.DataFrame, recent_items: int) -> Interactions:
        """As `going_on`."""
        return going_on(lines, self.version.scorer.parts, self.seen_until_ms, recent_items)

    @property
    def warm(self) -> int:
        """Of the next one, as in Provenance."""
        return self.version.manifest.provenance.warm + 1


def begun_by(
    version: LoadedModel | None, seen_until_ms: int | None, settings: TrainerSettings
) -> Begun | None:
    """None where the next version is to learn from the whole window, as an encoder always does:
    gone on from, it ranked worse than where it began."""
    if version is None or seen_until_ms is None:
        return None
    begun, network = Begun(version, seen_until_ms), version.manifest.network
    if network is not Network.DOT_PRODUCT or network not in settings.networks:
        return None
    fits = version.scorer.parts.item_vectors.shape[1] == settings.dimensions
    return begun if fits and begun.warm < settings.full_every else None


def going_on(
    lines: pl.DataFrame, begun: Embeddings, seen_until_ms: int, recent_items: int
) -> Interactions:
    """Users and items are those of all `lines` (n, 6), in order of time; learnt from are the pairs
    of those after `seen_until_ms`, up to which `begun` has seen all. Raises NothingToTrainOn where
    there are none."""
    unseen = lines.filter(pl.col("time_ms") > seen_until_ms)
    data, fresh = encode(lines, recent_items), encode(unseen, 1)
    return replace(
        data,
        user_rows=data.users.rows(fresh.users.ids)[fresh.user_rows],
        item_rows=data.items.rows(fresh.items.ids)[fresh.item_rows],
        weights=fresh.weights,
        start=_start(data, begun),
    )


def _start(data: Interactions, begun: Embeddings) -> Start:
    scorer = Scorer(begun)
    asked = [
        (user, [data.items[row] for row in recent])
        for user, recent in zip(data.users.ids, data.recent, strict=True)
    ]
    users, _ = scorer.user_vectors(asked)
    old = begun.users.rows(data.users.ids)
    users[old != UNKNOWN] = begun.user_vectors[old[old != UNKNOWN]]
    items = _items(data.touched, data.items, begun)
    return Start(users, items, begun.dense_weight, begun.dense_bias)


def _items(touched: SessionLog, items: Vocabulary, begun: Embeddings) -> FloatArray:
    """One that the earlier version lacks is put among its neighbours, as long as the mean item."""
    old = begun.items.rows(items.ids)
    known = np.flatnonzero(old != UNKNOWN)
    vectors = np.zeros((len(items), begun.item_vectors.shape[1]), dtype=np.float32)
    vectors[known] = begun.item_vectors[old[known]]
    length = float(np.linalg.norm(vectors[known], axis=1).mean()) if len(known) else 1.0
    joined = joined_by(touched, vectors, known, StartRule())
    fresh = np.flatnonzero(old == UNKNOWN)
    vectors[fresh] = length * joined[fresh]
    return vectors
