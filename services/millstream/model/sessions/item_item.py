"""A sparse item-to-item matrix, and a session's score by it: what co-visitation and the linear
model share at serving. They differ in how the matrix was fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Floats, Ints, places
from millstream.model.sessions.session_log import SessionLog


@dataclass(frozen=True, slots=True)
class SparseRows:
    """Row r holds `values` at `columns`, both [starts[r]:starts[r + 1]]; `starts` (items + 1,)."""

    starts: Ints
    columns: Ints
    values: Floats

    @property
    def items(self) -> int:
        return len(self.starts) - 1


def sparse_rows(keys: Ints, values: Floats, items: int) -> SparseRows:
    """From cells given as row * items + column, ascending."""
    rows, columns = np.divmod(keys, items)
    return SparseRows(np.searchsorted(rows, np.arange(items + 1)), columns, values)


class ItemItem:
    """The score is the sum of the rows of the last `touches`, each 1/e lighter with every
    `age_scale` touches since."""

    def __init__(self, rows: SparseRows, age_scale: float, touches: int = 10) -> None:
        self._rows, self._age_scale, self._touches = rows, age_scale, touches

    def scores(self, sessions: SessionLog) -> FloatArray:
        cut, rows = sessions.last(self._touches), self._rows
        session = cut.owners()
        age = cut.starts[1:][session] - 1 - np.arange(len(cut.items))
        weight = np.exp(-age / self._age_scale)
        flat, owner = places(rows.starts[cut.items], np.diff(rows.starts)[cut.items])
        cells = session[owner] * rows.items + rows.columns[flat]
        sums = np.bincount(
            cells, weight[owner] * rows.values[flat], minlength=len(sessions) * rows.items
        )
        return np.maximum(sums, 0.0).reshape(len(sessions), rows.items).astype(np.float32)
