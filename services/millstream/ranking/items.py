"""The items of one shop as numbers, and what of them is the same for every shopper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.domain.catalogue import CatalogueItem
from millstream.ranking.shop import Shop

if TYPE_CHECKING:
    from millstream.ranking.candidates.source import Items

Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
NOTHING = -1
"""Stands where there is no item."""
MAX_ITEMS = 500_000
MAX_NEIGHBOURHOODS = 50_000


class Neighbours(NamedTuple):
    """`line`: what the shop said, by which a newer answer is told from it."""

    line: Sequence[tuple[str, float]]
    items: Codes
    shares: NDArray[np.float64]


class Facts(NamedTuple):
    """By code, as the catalogue has it; an item that it does not have is nothing of all this."""

    hidden: Mask
    out_of_stock: Mask
    bought_once: Mask
    category: Codes
    """A number per category, NOTHING for an item without one."""


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
        self._rows: tuple[Items | None, Codes] = (None, _codes([]))
        self._entries: list[CatalogueItem | None] = []
        self._facts = _no_facts(0)
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
        held, codes = self._rows
        most = int(rows.max(initial=-1)) + 1
        if held is not items or len(codes) < most:
            kept = codes if held is items else _codes([])
            codes = np.full(max(most, 2 * len(kept)), NOTHING, dtype=np.int64)
            codes[: len(kept)] = kept
            self._rows = items, codes
        missing = np.unique(rows[codes[rows] == NOTHING])
        codes[missing] = self.of(items[row] for row in missing.tolist())
        return codes[rows]

    def near(self, code: int, shop: Shop) -> Neighbours:
        line = shop.shares(self.ids[code])
        held = self._near.get(code)
        if held is not None and held.line is line:
            return held
        if len(self._near) >= MAX_NEIGHBOURHOODS:
            self._near.clear()
        items = self.of(item_id for item_id, _ in line)
        shares = np.array([share for _, share in line], dtype=np.float64)
        found = self._near[code] = Neighbours(line, items, shares)
        return found

    def facts(self, items: Codes, shop: Shop) -> Facts:
        """Right for the codes in `items`, which may hold NOTHING."""
        grown = len(self) - len(self._entries)
        if grown:
            self._entries += [None] * grown
            self._facts = _grown(self._facts, len(self))
        ids, entries = self.ids, self._entries
        for code in np.unique(items[items != NOTHING]).tolist():
            entry = shop.item(ids[code])
            if entry is not entries[code]:
                self._take(code, entry)
        return self._facts

    def _take(self, code: int, entry: CatalogueItem | None) -> None:
        self._entries[code] = entry
        hidden, out_of_stock, bought_once, category = self._facts
        hidden[code] = entry is not None and entry.hidden
        out_of_stock[code] = entry is not None and not entry.in_stock
        bought_once[code] = entry is not None and entry.bought_once
        named = entry.category if entry is not None else ""
        category[code] = (
            self._categories.setdefault(named, len(self._categories)) if named else NOTHING
        )


def _codes(values: Sequence[int]) -> Codes:
    return np.array(values, dtype=np.int64)


def _no_facts(size: int) -> Facts:
    """One place more than codes: NOTHING's."""
    hidden, out_of_stock, bought_once = np.zeros((3, size + 1), dtype=np.bool_)
    return Facts(hidden, out_of_stock, bought_once, np.full(size + 1, NOTHING, dtype=np.int64))


def _grown(facts: Facts, needed: int) -> Facts:
    size = len(facts.hidden) - 1
    if needed <= size:
        return facts
    grown = _no_facts(max(needed, 2 * size))
    for old, new in zip(facts, grown, strict=True):
        new[:size] = old[:size]
    return grown
