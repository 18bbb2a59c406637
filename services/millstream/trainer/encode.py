"""Stage 4: ids become rows. Only what is trained on gets a row: an id first seen later has no
vector, at serving as in the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.encoder import EncoderArrays
from millstream.model.sessions.ragged import Ints
from millstream.model.sessions.session_log import SessionLog, offsets
from millstream.model.sessions.told import KIND, UNTOLD, Told
from millstream.model.vocabulary import Rows, Vocabulary
from millstream.trainer.clean import merge_pairs


class NothingToTrainOn(ValueError):  # noqa: N818  more lines may come
    """There are no lines, or cleaning left none."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a training begins that goes on from an earlier version: arrays with a row for each user
    and item of the Interactions they stand in, as Fitted has them."""

    user_vectors: FloatArray
    item_vectors: FloatArray
    dense_weight: float
    dense_bias: float


@dataclass(frozen=True, slots=True)
class EncoderStart:
    """The same for the session encoder. `item_vectors` (n_items, d), zero where nothing is known.
    `fresh` (n_users,): how many of each one's newest touches the earlier version has not seen."""

    item_vectors: FloatArray
    encoder: EncoderArrays
    fresh: Ints


@dataclass(frozen=True, slots=True)
class Interactions:
    """`user_rows`, `item_rows`, `weights`: (pairs,). `recent`: for each user row the item rows
    touched, newest first, each once. `touched`: for each user row the item row, kind and second of
    every line, in order of time."""

    users: Vocabulary
    items: Vocabulary
    user_rows: Rows
    item_rows: Rows
    weights: FloatArray
    recent: list[list[int]]
    touched: SessionLog
    start: Start | EncoderStart | None = None
    """None: from nothing."""

    def item_weights(self) -> FloatArray:
        """(n_items,): the sum of the pairs' weights: popularity."""
        counted = np.bincount(self.item_rows, self.weights, minlength=len(self.items))
        return counted.astype(np.float32)


def encode(lines: pl.DataFrame, recent_items: int) -> Interactions:
    """`lines`: in order of time. Raises NothingToTrainOn where there are none."""
    if lines.is_empty():
        raise NothingToTrainOn("no lines are left to train on")
    pairs = merge_pairs(lines)
    users = Vocabulary(pairs["user"].unique(maintain_order=True))
    items = Vocabulary(pairs["item"].unique().sort())
    newest_first = pairs.sort("last", descending=True).group_by("user").head(recent_items)
    recent: list[list[int]] = [[] for _ in users.ids]
    for user, item in newest_first.sort("last", descending=True).select("user", "item").rows():
        recent[users.row(user)].append(items.row(item))
    return Interactions(
        users=users,
        items=items,
        user_rows=users.rows(pairs["user"]),
        item_rows=items.rows(pairs["item"]),
        weights=pairs["weight"].to_numpy().astype(np.float32),
        recent=recent,
        touched=_touched(lines, users, items),
    )


def _touched(lines: pl.DataFrame, users: Vocabulary, items: Vocabulary) -> SessionLog:
    user_rows, item_rows = users.rows(lines["user"]), items.rows(lines["item"])
    order = np.argsort(user_rows, kind="stable")
    ends = offsets(np.bincount(user_rows, minlength=len(users)))
    told = _told(lines)
    return SessionLog(item_rows[order].astype(np.int64), ends, told and told.at(order))


def _told(lines: pl.DataFrame) -> Told | None:
    """In seconds, since recommenders keep no more of a touch's time. None for lines that do not
    have both."""
    if not {"type", "time_ms"} <= set(lines.columns):
        return None
    kinds = lines["type"].replace_strict(KIND, default=UNTOLD, return_dtype=pl.Int64)
    return Told(kinds.to_numpy(), lines["time_ms"].to_numpy() // 1000)
