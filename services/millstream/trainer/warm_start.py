"""A training that goes on from the version in service, with what came since: new users and items
join where what they touched, and what was touched with them, already stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from millstream.domain.models import SessionInput
from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.registry import LoadedModel
from millstream.model.scorer import Scorer
from millstream.model.sessions.session_log import SessionLog
from millstream.model.sessions.told import GAPS, KINDS
from millstream.model.vocabulary import UNKNOWN, Vocabulary
from millstream.trainer.encode import EncoderStart, Interactions, Start, encode
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
    """None where the next version is to learn from the whole window."""
    if version is None or seen_until_ms is None:
        return None
    begun, parts = Begun(version, seen_until_ms), version.scorer.parts
    fits = version.manifest.network in settings.networks and _is_alike(parts, settings)
    return begun if fits and begun.warm < settings.full_every else None


def _is_alike(begun: Embeddings, settings: TrainerSettings) -> bool:
    """Whether what is learnt by the settings has the shapes of `begun`."""
    if begun.item_vectors.shape[1] != settings.dimensions:
        return False
    if begun.encoder is None:
        return True
    tables = {
        SessionInput.KIND: (begun.encoder.kinds, KINDS),
        SessionInput.GAP: (begun.encoder.gaps, GAPS),
    }
    return all(
        (0 if table is None else len(table)) == rows * (told in settings.session_inputs)
        for told, (table, rows) in tables.items()
    )


def going_on(
    lines: pl.DataFrame, begun: Embeddings, seen_until_ms: int, recent_items: int
) -> Interactions:
    """Users and items are those of all `lines` (n, 6), in order of time; the pairs are of those
    after `seen_until_ms`, up to which `begun` has seen all, but for an encoder, whose shoppers are
    means of all that they touched. Raises NothingToTrainOn where none are after it."""
    unseen = lines.filter(pl.col("time_ms") > seen_until_ms)
    data, fresh = encode(lines, recent_items), encode(unseen, 1)
    items = _items(data.touched, data.items, begun)
    if begun.encoder is not None:
        of = np.bincount(data.users.rows(unseen["user"]), minlength=len(data.users))
        return replace(data, start=EncoderStart(items, begun.encoder, of))
    return replace(
        data,
        user_rows=data.users.rows(fresh.users.ids)[fresh.user_rows],
        item_rows=data.items.rows(fresh.items.ids)[fresh.item_rows],
        weights=fresh.weights,
        start=Start(_users(data, begun), items, begun.dense_weight, begun.dense_bias),
    )


def _users(data: Interactions, begun: Embeddings) -> FloatArray:
    scorer = Scorer(begun)
    asked = [
        (user, [data.items[row] for row in recent])
        for user, recent in zip(data.users.ids, data.recent, strict=True)
    ]
    users, _ = scorer.user_vectors(asked)
    old = begun.users.rows(data.users.ids)
    users[old != UNKNOWN] = begun.user_vectors[old[old != UNKNOWN]]
    return users


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
