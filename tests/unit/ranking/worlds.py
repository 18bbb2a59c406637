"""Small shops whose lists can be told beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import Source
from millstream.domain.reviews import ReviewCounts
from millstream.features.covisitation import NO_SHARES, Shares
from millstream.features.recent_items import Touch
from millstream.model.blend import Blend
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Candidates
from millstream.ranking.items import NOTHING, ItemTable
from millstream.ranking.shop import Shopper

START = datetime(2024, 5, 1, tzinfo=UTC)
NOW_MS = int(START.timestamp() * 1000)
_EDITIONS = count()


@dataclass
class FixedShop:
    """Implements `Shop` with what it is given; `popular` in log2 weights."""

    near: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    best: Sequence[tuple[str, float]] = ()
    fresh: Sequence[str] = ()
    catalogue: Mapping[str, CatalogueItem] = field(default_factory=dict)
    days: Mapping[str, float] = field(default_factory=dict)
    said: Mapping[str, ReviewCounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._edition = next(_EDITIONS)
        self._shares = {
            item: Shares([other for other, _ in near], np.array([share for _, share in near]))
            for item, near in self.near.items()
        }

    def shares(self, item_id: str) -> Shares:
        return self._shares.get(item_id, NO_SHARES)

    def edition(self) -> int:
        return self._edition

    def popular(self) -> Sequence[tuple[str, float]]:
        return self.best

    def newest(self) -> Sequence[str]:
        return self.fresh

    def days_of_stock(self, item_id: str) -> float | None:
        return self.days.get(item_id)

    def reviews(self, item_id: str) -> ReviewCounts | None:
        return self.said.get(item_id)

    def item(self, item_id: str) -> CatalogueItem | None:
        return self.catalogue.get(item_id)


class Rows:
    def __init__(self, ids: Sequence[str]) -> None:
        self._ids = list(ids)

    def rows(self, ids: Sequence[str]) -> NDArray[np.int32]:
        return np.array([self._ids.index(i) if i in self._ids else -1 for i in ids], np.int32)

    def __getitem__(self, row: int) -> str:
        return self._ids[row]


class FixedTaste:
    """A model in which every known shopper likes the items in the order given, by `logits`."""

    def __init__(
        self,
        ids: Sequence[str],
        logits: Sequence[float],
        known: bool = True,
        directions: Sequence[Sequence[float]] | None = None,
    ) -> None:
        """`directions`: the items' vectors; else each stands by itself."""
        own = np.eye(max(1, len(ids))) if directions is None else directions
        self._directions = np.array(own, np.float32)
        self.items = Rows(ids)
        self._logits = np.array(logits, np.float32)
        self._known = known
        self.weight = 1.0
        self.blend: Blend | None = None

    def user_vectors(
        self, shoppers: Sequence[tuple[str, Sequence[Touch]]]
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        known = np.full(len(shoppers), self._known)
        return np.ones((len(shoppers), self._directions.shape[1]), np.float32), known

    def scores(
        self, vectors: NDArray[np.float32], item_rows: NDArray[np.int32]
    ) -> NDArray[np.float32]:
        return np.tile(self._logits[item_rows], (len(vectors), 1))

    def item_vectors(self, rows: NDArray[np.int32]) -> NDArray[np.float32]:
        return self._directions[rows]

    def nearest(
        self, vectors: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        rows = np.argsort(-self._logits, kind="stable")[:k].astype(np.int32)
        return np.tile(rows, (len(vectors), 1)), np.tile(self._logits[rows], (len(vectors), 1))


def entry(item_id: str, **said: object) -> CatalogueItem:
    return CatalogueItem(item_id=item_id, added_at=START, **said)  # type: ignore[arg-type]


def shopper(*items: str, bought: Sequence[str] = (), name: str = "ann") -> Shopper:
    """`items` newest first, one event a minute."""
    return Shopper(
        "default",
        name,
        tuple(
            Touch(
                item,
                EventType.PURCHASE if item in bought else EventType.VIEW_ITEM,
                NOW_MS - place * 60_000,
            )
            for place, item in enumerate(items)
        ),
        frozenset(bought),
    )


def event(
    who: str, *items: str, kind: EventType = EventType.VIEW_ITEM, minute: float = 0.0
) -> Event:
    return Event(
        event_id=f"{who}-{kind}-{minute}-{items}",
        type=kind,
        time=START + timedelta(minutes=minute),
        user_id=who,
        items=tuple(Line(item) for item in items),
    )


class Candidate(NamedTuple):
    """One of a source's candidates, readable."""

    item_id: str
    source: Source
    strength: float
    because: str | None = None


def batch_of(crowd: Sequence[Shopper]) -> Batch:
    return Batch(crowd, ItemTable())


def readable(batch: Batch, source: Source, found: Candidates) -> list[list[Candidate]]:
    """Per shopper what the source proposes, the strongest first."""
    lines: list[list[Candidate]] = [[] for _ in batch.shoppers]
    columns = (found.shoppers, found.items, found.strengths, found.because)
    for who, item, strength, because in zip(*(c.tolist() for c in columns), strict=True):
        led = None if because == NOTHING else batch.table.ids[because]
        lines[who].append(Candidate(batch.table.ids[item], source, strength, led))
    return [sorted(line, key=lambda c: -c.strength) for line in lines]


def as_candidates(batch: Batch, lines: Sequence[Sequence[Candidate]]) -> Candidates:
    """What `readable` makes readable, back in arrays."""
    return Candidates.per_shopper(
        batch, [[(c.item_id, c.strength, c.because) for c in line] for line in lines]
    )
