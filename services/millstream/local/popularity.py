"""The baseline every list is measured against: the best sellers known at a moment."""

from __future__ import annotations

MS_PER_DAY = 86_400_000


class BestSellers:
    """The `size` items bought most often so far, plain or with a half-life.

    A purchase at time t weighs 2 ** (t / half-life): all weights shrink alike as time goes on,
    so an item's sum only grows and the order between items is that of the decayed counts
    (forward decay: Cormode et al., ICDE 2009). Good for some 1,000 half-lives after `start_ms`.
    An addition costs O(size)."""

    def __init__(self, size: int, start_ms: int = 0, half_life_days: float | None = None) -> None:
        self._size = size
        self._start_ms = start_ms
        self._half_life_ms = half_life_days * MS_PER_DAY if half_life_days else None
        self._weight: dict[str, float] = {}
        self._top: dict[str, float] = {}
        self._ranked: tuple[str, ...] | None = None

    def add(self, item_id: str, time_ms: int) -> None:
        gain = 1.0
        if self._half_life_ms is not None:
            gain = 2.0 ** ((time_ms - self._start_ms) / self._half_life_ms)
        weight = self._weight.get(item_id, 0.0) + gain
        self._weight[item_id] = weight
        if item_id not in self._top and len(self._top) >= self._size:
            least = min(self._top, key=self._top.__getitem__)
            if self._top[least] >= weight:
                return
            del self._top[least]
        self._top[item_id] = weight
        self._ranked = None

    def ranked(self) -> tuple[str, ...]:
        """Best first; ties in the order of their ids."""
        if self._ranked is None:
            top = self._top
            self._ranked = tuple(sorted(top, key=lambda item_id: (-top[item_id], item_id)))
        return self._ranked
