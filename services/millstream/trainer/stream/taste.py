"""The embedding recommender that goes on learning: the trained arrays, and gradient steps of the
loss they were trained by (trainer/train.py), in numpy so that one event costs microseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.deriving import EVENT_WEIGHT
from millstream.domain.events import EventType
from millstream.model.embeddings import Embeddings, FloatArray, recent_means
from millstream.model.scorer import Scorer, probability
from millstream.model.vocabulary import UNKNOWN, Rows, Vocabulary
from millstream.trainer.encode import Interactions
from millstream.trainer.stream.rows import Row

_ROWS_A_STEP = 64


class GrowingVocabulary(Vocabulary):
    __slots__ = ()

    def add(self, name: str) -> int:
        """Its row; a new one where it had none."""
        row = self._rows.setdefault(name, len(self.ids))
        if row == len(self.ids):
            self.ids = (*self.ids, name)
        return row


class Table:
    """Rows of vectors that may become more."""

    def __init__(self, vectors: FloatArray, lines: FloatArray) -> None:
        self._held, self._used = vectors.copy(), len(vectors)
        self._lines = lines.astype(np.float32)

    @property
    def vectors(self) -> FloatArray:
        """(n, d), to be written to; good until the next `append`."""
        return self._held[: self._used]

    @property
    def lines(self) -> FloatArray:
        """(n,): how many each row has learnt from."""
        return self._lines[: self._used]

    def told(self, rows: Rows) -> None:
        np.add.at(self._lines, rows, np.float32(1.0))

    def descend(self, rows: Rows, gradients: FloatArray, rate: float) -> None:
        """The more a row has learnt from, the less it moves: by 1 / sqrt(lines), as AdaGrad would
        where all gradients are alike."""
        moves = np.float32(rate) / np.sqrt(1.0 + self.lines[rows], dtype=np.float32)
        np.subtract.at(self.vectors, rows, moves[:, None] * gradients)

    def append(self, vector: FloatArray) -> None:
        if self._used == len(self._held):
            room = np.zeros((max(16, len(self._held)), self._held.shape[1]), dtype=np.float32)
            self._held = np.concatenate([self._held, room])
            self._lines = np.concatenate([self._lines, np.zeros(len(room), dtype=np.float32)])
        self._held[self._used] = vector
        self._used += 1


@dataclass(frozen=True, slots=True)
class StepRule:
    """`rate`: of a row that has learnt nothing yet; `negatives`: items drawn beside each line."""

    rate: float = 0.05
    negatives: int = 4
    negative_power: float = 0.25


@dataclass(frozen=True, slots=True)
class Drawing:
    """Items drawn as no interest, as in trainer/batches.py; `event_weights` and `mean_weight` of
    lines; `user_lines`, `item_lines`: how many pairs each row was trained on."""

    edges: NDArray[np.float64]
    event_weights: Mapping[EventType, float]
    mean_weight: float
    user_lines: FloatArray
    item_lines: FloatArray

    @classmethod
    def of(
        cls,
        data: Interactions,
        mean_weight: float,
        rule: StepRule,
        event_weights: Mapping[EventType, float] = EVENT_WEIGHT,
    ) -> Drawing:
        chances = data.item_weights().astype(np.float64) ** rule.negative_power
        return cls(
            np.cumsum(chances),
            event_weights,
            mean_weight,
            np.bincount(data.user_rows, minlength=len(data.users)).astype(np.float32),
            np.bincount(data.item_rows, minlength=len(data.items)).astype(np.float32),
        )


class _Lines(NamedTuple):
    """(n,) of each line: the shopper's row, UNKNOWN for one who was not trained, item row, weight;
    `vectors` (n, d): the shopper as a list would be made now."""

    users: Rows
    items: Rows
    weights: FloatArray
    vectors: FloatArray


class LivingTaste:
    """`scorer` is the production one on the arrays as they stand. A new item begins at the mean of
    what its first shopper had touched before; a new shopper stays what the recent items say."""

    def __init__(self, model: Embeddings, drawing: Drawing, rule: StepRule, seed: int) -> None:
        self._model, self._drawing, self.rule = model, drawing, rule
        self._seed, self._rng = seed, np.random.default_rng(seed)
        self._items = GrowingVocabulary(model.items.ids)
        self._user_table = Table(model.user_vectors, drawing.user_lines)
        self._item_table = Table(model.item_vectors, drawing.item_lines)

    @property
    def scorer(self) -> Scorer:
        return Scorer(self.model)

    @property
    def model(self) -> Embeddings:
        return replace(
            self._model,
            items=self._items,
            user_vectors=self._user_table.vectors,
            item_vectors=self._item_table.vectors,
        )

    def copy(self, rule: StepRule | None = None) -> LivingTaste:
        """Learns on its own from here, by another rule if one is given."""
        drawing = replace(
            self._drawing, user_lines=self._user_table.lines, item_lines=self._item_table.lines
        )
        return LivingTaste(self.model, drawing, rule or self.rule, self._seed)

    def learn(self, rows: Sequence[Row]) -> None:
        telling = [row for row in rows if row.wanted]
        for start in range(0, len(telling), _ROWS_A_STEP):
            lines = self._lines(telling[start : start + _ROWS_A_STEP])
            if len(lines.items):
                self._step(lines)

    def _lines(self, rows: Sequence[Row]) -> _Lines:
        """None of a shopper of whom nothing is known, nor of an item that could not begin yet."""
        asked = [(row.shopper, row.recent) for row in rows]
        for row in rows:
            self._begin_items(row)
        vectors, known = self.scorer.user_vectors(asked)
        items = [self._items.known_rows(row.wanted) for row in rows]
        counts = np.array([len(each) for each in items]) * known
        kept = [each for each, is_known in zip(items, known.tolist(), strict=True) if is_known]
        by_type = self._drawing.event_weights
        weights = np.array([by_type.get(row.event.type, 0.0) for row in rows], dtype=np.float32)
        return _Lines(
            np.repeat(self._model.users.rows(row.shopper for row in rows), counts),
            np.fromiter(chain.from_iterable(kept), dtype=np.int32),
            np.repeat(weights / np.float32(self._drawing.mean_weight), counts),
            np.repeat(vectors, counts, axis=0),
        )

    def _begin_items(self, row: Row) -> None:
        new = [item for item in row.wanted if item not in self._items]
        recent = self._items.known_rows(touch.item_id for touch in row.recent)
        if new and recent:
            mean = recent_means(self._item_table.vectors, [recent], self._model.rule)[0, :-1]
            for item in new:
                self._items.add(item)
                self._item_table.append(mean)

    def _step(self, lines: _Lines) -> None:
        """The drawn items weigh 1, as in training. Of a trained shopper's vector the shopper's own
        part moves; the rest is the recent items'."""
        count, edges = self.rule.negatives, self._drawing.edges
        drawn = np.searchsorted(
            edges, self._rng.random(len(lines.items) * count) * edges[-1], "right"
        )
        negatives = np.minimum(drawn, len(edges) - 1)
        shown = np.concatenate([lines.items, negatives])
        owners = np.tile(np.arange(len(lines.items)), 1 + count)
        labels = np.zeros(len(shown), dtype=np.float32)
        labels[: len(lines.items)] = 1.0
        weights = np.ones((len(shown), 1), dtype=np.float32)
        weights[: len(lines.items), 0] = lines.weights
        by_user, by_item = gradients(
            self._model, lines.vectors[owners], self._item_table.vectors[shown], labels
        )
        self._item_table.descend(shown, weights * by_item, self.rule.rate)
        users = lines.users[owners]
        own = np.float32(1.0 - self._model.rule.recent_share)
        trained = users != UNKNOWN
        self._user_table.descend(users[trained], (own * weights * by_user)[trained], self.rule.rate)
        self._item_table.told(lines.items)
        self._user_table.told(lines.users[lines.users != UNKNOWN])


@dataclass(frozen=True, slots=True)
class StillTaste:
    """A model that stays as it was trained, as one in service does until the next version."""

    scorer: Scorer

    def copy(self) -> StillTaste:
        return self

    def learn(self, rows: Sequence[Row]) -> None:
        """Nothing of them."""


def gradients(
    model: Embeddings, users: FloatArray, items: FloatArray, labels: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Of each line's binary cross-entropy by its user and its item vector, (n, d) each."""
    logits = model.dense_weight * (users * items).sum(axis=1) + model.dense_bias
    slope = np.float32(model.dense_weight) * (probability(logits.astype(np.float32)) - labels)
    return slope[:, None] * items, slope[:, None] * users
