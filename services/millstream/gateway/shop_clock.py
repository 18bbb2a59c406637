"""What time it is in the shop: now, but where a recording is replayed the time of its newest event.

What somebody does on the live page beside a replay would else lie years after all that is replayed,
and outweigh it."""

from __future__ import annotations

from millstream.domain.clock import Clock


class ReplayClock:
    """Begins with the first record seen, before that it is now; goes on between two records."""

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self._newest_ms: int | None = None
        self._seen_at = 0

    def saw(self, log_ms: int) -> None:
        if self._newest_ms is None or log_ms > self._newest_ms:
            self._newest_ms, self._seen_at = log_ms, self._wall()

    @property
    def has_begun(self) -> bool:
        return self._newest_ms is not None

    def __call__(self) -> int:
        if self._newest_ms is None:
            return self._wall()
        return self._newest_ms + max(0, self._wall() - self._seen_at)
