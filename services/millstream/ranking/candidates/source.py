"""What every candidate source is: a name, and a pure function over a batch of shoppers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.features.recent_items import Touch
from millstream.model.blend import Blend
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop


class Items(Protocol):
    """Item ids and the rows of the vectors they have; -1 for an item without one."""

    def rows(self, ids: Sequence[str]) -> NDArray[np.int32]: ...

    def __getitem__(self, row: int) -> str: ...


class TasteModel(Protocol):
    """The embedding recommender as ranking sees it (model/scorer.py)."""

    @property
    def items(self) -> Items: ...

    @property
    def weight(self) -> float:
        """From 0 to 1: what the strength of its best candidate is."""
        ...

    @property
    def blend(self) -> Blend | None:
        """What all sources are worth beside it, where that was learnt."""
        ...

    def user_vectors(
        self, shoppers: Sequence[tuple[str, Sequence[Touch]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...

    def scores(
        self, vectors: NDArray[np.float32], item_rows: NDArray[np.int32]
    ) -> NDArray[np.float32]: ...

    def item_vectors(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        """(m, d) in the space in which products with shoppers' vectors are taken."""
        ...

    def nearest(
        self, vectors: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]: ...


@dataclass(frozen=True, slots=True)
class Taste:
    """A batch of shoppers in the model's space: (n, d) vectors; where `known` is false the
    model says nothing."""

    model: TasteModel
    vectors: NDArray[np.float32]
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Context:
    """What sources may look at; `taste` is None while there is no model."""

    shop: Shop
    settings: RankingSettings
    taste: Taste | None
    now_ms: int
    rules: RulesInForce = NO_RULES

    @property
    def blend(self) -> Blend | None:
        """None where fixed weights hold."""
        if self.taste is None or not self.settings.learnt_blend:
            return None
        return self.taste.model.blend


class Candidates(NamedTuple):
    """What one source proposes for a batch; all (m,). `shoppers`: places in the batch; `items`:
    codes; `strengths`: float64 from 0 to 1 within source and shopper; `because`: the code of the
    item that led to it, or NOTHING. `kinds`: numbers from 0 of the kinds of candidate that the
    source tells apart, if it does; a blend learns each one's worth."""

    shoppers: Codes
    items: Codes
    strengths: NDArray[np.float64]
    because: Codes
    kinds: Codes | None = None

    @classmethod
    def none(cls) -> Candidates:
        nobody = np.zeros(0, dtype=np.int64)
        return cls(nobody, nobody, np.zeros(0), nobody)

    @classmethod
    def per_shopper(
        cls, batch: Batch, lines: Sequence[Sequence[tuple[str, float, str | None]]]
    ) -> Candidates:
        """From (item, strength, what led to it) by shopper; arrays of numbers are several times
        quicker where a source has them."""
        table = batch.table
        flat = [candidate for line in lines for candidate in line]
        led = [NOTHING if because is None else table.codes[because] for _, _, because in flat]
        counts = [len(line) for line in lines]
        return cls(
            np.repeat(np.arange(len(lines), dtype=np.int64), np.array(counts, dtype=np.int64)),
            table.of(item for item, _, _ in flat),
            np.array([strength for _, strength, _ in flat], dtype=np.float64),
            np.array(led, dtype=np.int64),
        )

    @classmethod
    def shelf(cls, batch: Batch, item_ids: Sequence[str], strengths: Sequence[float]) -> Candidates:
        """The same items for every shopper."""
        return cls(
            np.repeat(np.arange(len(batch), dtype=np.int64), len(item_ids)),
            np.tile(batch.table.of(item_ids), len(batch)),
            np.tile(np.array(strengths, dtype=np.float64), len(batch)),
            np.full(len(batch) * len(item_ids), NOTHING, dtype=np.int64),
        )


class CandidateSource(Protocol):
    """At most `settings.candidates` per shopper, each item once, in any order; nothing for
    shoppers it knows nothing of."""

    SOURCE: Source

    def propose(self, batch: Batch, context: Context) -> Candidates: ...
