"""The items of one shop as numbers, and what of them is the same for every shopper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.reviews import ReviewCounts
from millstream.features.covisitation import Shares
from millstream.ranking.shop import Shop

if TYPE_CHECKING:
    from millstream.ranking.candidates.source import Items

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Days = NDArray[np.float64]
Parts = NDArray[np.float64]
NOTHING = -1
"""Stands where there is no item."""
NEVER = -1
"""No edition of a catalogue."""
MAX_ITEMS = 500_000
MAX_NEIGHBOURHOODS = 50_000


class Neighbours(NamedTuple):
    """`said`: by the shop, by which a newer answer is told from it; `items`: its items' codes."""

    said: Shares
    items: Codes


class Facts(NamedTuple):
    """By code, as the catalogue and insights have it; an item that they do not have is nothing of
    all this."""

    hidden: Mask
    out_of_stock: Mask
    bought_once: Mask
    category: Codes
    """A number per category, NOTHING for an item without one."""
    days_of_stock: Days
    """Infinite where they are not known."""
    reviews: Codes
    """So many were judged."""
    liked: Parts
    """The part of them that is good; 0 where there are none."""


class ItemCodes(dict[str, int]):
    """Item ids as 0, 1, 2 … in the order in which they are first asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []

    def __missing__(self, item_id: str) -> int:
        code = self[item_id] = len(self.ids)
        self.ids.append(item_id)
        return code


class ItemTable:
    """What was turned into arrays for one batch serves the next ones; the shop is asked again each
    time, and what it answers anew replaces what is held. Past MAX_ITEMS `is_full`, and whoever
    keeps the table starts a new one. Not for several threads."""

    def __init__(self) -> None:
        self.codes = ItemCodes()
        self.ids = self.codes.ids
        self._near: dict[int, Neighbours] = {}
        self._rows: WeakKeyDictionary[Items, Codes] = WeakKeyDictionary()
        self._facts = _no_facts(0)
        self._asked_in = np.full(1, NEVER, dtype=np.int64)
        self._categories: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def is_full(self) -> bool:
        return len(self) > MAX_ITEMS

    def of(self, item_ids: Iterable[str]) -> Codes:
        codes = self.codes
        return _codes([codes[item_id] for item_id in item_ids])

    def of_rows(self, items: Items, rows: NDArray[np.int32]) -> Codes:
        """The codes of a model's rows, in the shape of `rows`."""
        codes = self._rows.get(items, _NO_CODES)
        most = int(rows.max(initial=-1)) + 1
        if len(codes) < most:
            kept, codes = codes, np.full(max(most, 2 * len(codes)), NOTHING, dtype=np.int64)
            codes[: len(kept)] = kept
            self._rows[items] = codes
        missing = np.unique(rows[codes[rows] == NOTHING])
        codes[missing] = self.of(items[row] for row in missing.tolist())
        return codes[rows]

    def near(self, code: int, shop: Shop) -> Neighbours:
        said = shop.shares(self.ids[code])
        held = self._near.get(code)
        if held is not None and held.said is said:
            return held
        if len(self._near) >= MAX_NEIGHBOURHOODS:
            self._near.clear()
        found = self._near[code] = Neighbours(said, self.of(said.items))
        return found

    def facts(self, items: Codes, shop: Shop) -> Facts:
        """Right for the codes in `items`, which may hold NOTHING."""
        if len(self) >= len(self._asked_in):
            self._facts, self._asked_in = _grown(self._facts, self._asked_in, len(self))
        edition = shop.edition()
        asked = self._asked_in[items] == edition
        asked |= items == NOTHING
        if not asked.all():
            new = np.unique(items[~asked])
            for code in new.tolist():
                self._take(code, shop.item(self.ids[code]), shop.days_of_stock(self.ids[code]))
                self._note(code, shop.reviews(self.ids[code]))
            self._asked_in[new] = edition
        return self._facts

    def category_numbers(self, named: Iterable[str]) -> Codes:
        """As `Facts.category` has them, of those that an item was asked about has."""
        return _codes([self._categories[name] for name in named if name in self._categories])

    def _take(self, code: int, entry: CatalogueItem | None, days: float | None) -> None:
        hidden, out_of_stock, bought_once, category, days_of_stock, *_ = self._facts
        hidden[code] = entry is not None and entry.hidden
        out_of_stock[code] = entry is not None and not entry.in_stock
        bought_once[code] = entry is not None and entry.bought_once
        named = entry.category if entry is not None else ""
        category[code] = (
            self._categories.setdefault(named, len(self._categories)) if named else NOTHING
        )
        days_of_stock[code] = np.inf if days is None else days

    def _note(self, code: int, counts: ReviewCounts | None) -> None:
        self._facts.reviews[code] = 0 if counts is None else counts.reviews
        self._facts.liked[code] = 0.0 if counts is None else counts.liked


def _codes(values: Sequence[int]) -> Codes:
    return np.array(values, dtype=np.int64)


_NO_CODES = _codes([])


def _no_facts(size: int) -> Facts:
    """One place more than codes: NOTHING's."""
    hidden, out_of_stock, bought_once = np.zeros((3, size + 1), dtype=np.bool_)
    category = np.full(size + 1, NOTHING, dtype=np.int64)
    days = np.full(size + 1, np.inf)
    reviews, liked = np.zeros(size + 1, dtype=np.int64), np.zeros(size + 1)
    return Facts(hidden, out_of_stock, bought_once, category, days, reviews, liked)


def _grown(facts: Facts, asked_in: Codes, needed: int) -> tuple[Facts, Codes]:
    """With room for `needed` codes and for as many again."""
    size = len(asked_in) - 1
    room = max(needed, 2 * size)
    grown, asked = _no_facts(room), np.full(room + 1, NEVER, dtype=np.int64)
    for old, new in zip((*facts, asked_in), (*grown, asked), strict=True):
        new[:size] = old[:size]
    return grown, asked
