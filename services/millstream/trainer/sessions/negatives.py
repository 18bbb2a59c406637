"""Items drawn for a whole batch to stand for all the others in the softmax."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sessions.ragged import Floats, Ints
from millstream.trainer.sessions.windows import Batch

_ABSENT = 1e9


@dataclass(frozen=True, slots=True)
class Drawn:
    """`rows` (c,) items that the batch needs; `touched` (n, l) and `targets` (m,) as places among
    them; `log_chances` (c,): the logarithm of an item's chance to be in the softmax, _ABSENT for
    an item that is only touched."""

    rows: Ints
    touched: Ints
    targets: Ints
    log_chances: FloatArray


class Negatives:
    """Draws by count ** power; the batch's own targets stand in for each other as well."""

    def __init__(self, counts: Floats, draws: int, power: float = 0.5) -> None:
        shares = np.maximum(counts, 1.0) ** power
        self._chances = shares / shares.sum()
        self._edges = np.cumsum(self._chances)
        self._wanted = counts / max(1.0, counts.sum())
        self._draws = draws

    def draw(self, batch: Batch, rng: np.random.Generator) -> Drawn:
        """The chance to be there is 1 - exp(-expected times drawn); dividing by it makes the sum
        over the drawn items an unbiased estimate of the sum over all (Horvitz-Thompson)."""
        drawn = np.searchsorted(self._edges, rng.random(self._draws) * self._edges[-1])
        drawn = np.minimum(drawn, len(self._edges) - 1)
        touched, targets = batch.touched.ravel(), batch.targets
        rows, at = np.unique(np.concatenate([touched, targets, drawn]), return_inverse=True)
        expected = self._draws * self._chances[rows] + len(targets) * self._wanted[rows]
        log_chances = np.full(len(rows), _ABSENT, dtype=np.float32)
        inside = at[len(touched) :]
        log_chances[inside] = np.log(-np.expm1(-expected[inside]))
        return Drawn(
            rows,
            at[: len(touched)].reshape(batch.touched.shape),
            at[len(touched) : len(touched) + len(targets)],
            log_chances,
        )
