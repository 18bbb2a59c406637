"""What every candidate source is: a name, and a pure function over a batch of shoppers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Candidate, Shop, Shopper


class Items(Protocol):
    """Item ids and the rows of the vectors they have; -1 for an item without one."""

    def rows(self, ids: Sequence[str]) -> NDArray[np.int32]: ...

    def __getitem__(self, row: int) -> str: ...


class TasteModel(Protocol):
    """The embedding recommender as ranking sees it (model/scorer.py)."""

    @property
    def items(self) -> Items: ...

    def user_vectors(
        self, shoppers: Sequence[tuple[str, Sequence[str]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...

    def scores(
        self, vectors: NDArray[np.float32], item_rows: NDArray[np.int32]
    ) -> NDArray[np.float32]: ...

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


class CandidateSource(Protocol):
    """One list of candidates per shopper, at most `settings.candidates` each, the strongest
    first; says nothing for shoppers it knows nothing of."""

    SOURCE: Source

    def propose(self, shoppers: Sequence[Shopper], context: Context) -> list[list[Candidate]]: ...
