"""Ids of the outside world <-> rows of the arrays."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int32]
UNKNOWN = -1


class Vocabulary:
    """Row r stands for the r-th id, for good. Raises ValueError where an id comes twice."""

    __slots__ = ("__weakref__", "_rows", "ids")

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = tuple(ids)
        self._rows = {name: row for row, name in enumerate(self.ids)}
        if len(self._rows) != len(self.ids):
            raise ValueError("an id stands twice in the vocabulary")

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __getitem__(self, row: int) -> str:
        return self.ids[row]

    def row(self, name: str) -> int:
        """UNKNOWN for an id without a row."""
        return self._rows.get(name, UNKNOWN)

    def rows(self, names: Iterable[str]) -> Rows:
        """(n,) int32, UNKNOWN where an id has no row."""
        return np.fromiter((self._rows.get(name, UNKNOWN) for name in names), dtype=np.int32)

    def known_rows(self, names: Iterable[str]) -> list[int]:
        """Rows of the ids that have one, order kept."""
        return [self._rows[name] for name in names if name in self._rows]
