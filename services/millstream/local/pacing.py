"""How fast the storefront may send: never so fast that a backlog forms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pacing:
    events_per_s: float | None = None
    """None: as fast as the window allows."""
    read_ahead: int = 256
    """How far an event of one shopper may overtake a held event of another."""
    target_ms: int = 250
    """Above this latency the window shrinks; a quarter of the promised 1000 ms."""
    least_window: int = 8
    most_window: int = 512
    grace_ms: int = 10_000
    """After so long past an event without its shopper's list none is expected any more."""
    stall_s: float = 60.0
    """Events unanswered and no list for so long: the recommender is taken to be gone."""


class Window:
    """How many events may be unseen at once: additive increase, multiplicative decrease.

    As TCP does (RFC 5681): one event more for each windowful answered in time, three quarters of
    it after a late answer, and at most once for the events sent before the cut."""

    def __init__(self, pacing: Pacing) -> None:
        self._pacing = pacing
        self._size = float(min(64, pacing.most_window))
        self._cut_ms = 0

    @property
    def size(self) -> int:
        return int(self._size)

    def answered(self, latency_ms: int, now_ms: int) -> None:
        if latency_ms <= self._pacing.target_ms:
            self._size = min(self._pacing.most_window, self._size + 1 / self._size)
        elif now_ms - latency_ms >= self._cut_ms:
            self._size = max(self._pacing.least_window, self._size * 0.75)
            self._cut_ms = now_ms
