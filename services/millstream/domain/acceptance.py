"""Which records of the log count: the rule by which the lake recomputes what was accepted.

The recommender applies the same rule inside its atomic store call; a test compares the two. One
thing is not recomputed here: the cap on remembered ids per shopper (Reason.OVER)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from millstream.domain.decode import decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import Event, EventType
from millstream.domain.log import LogRecord

HORIZON_MS = 24 * 3600 * 1000
"""An event that reaches the log later than this after it happened is refused as late."""

WINDOW_MS = 48 * 3600 * 1000
"""How long an event id is remembered: longer than the horizon and the clock's leeway together,
so that a retry either meets its first copy here or is late."""

Shopper = tuple[str, str]
"""Tenant and shopper (`Event.shopper`)."""

_NEVER = -(2**63)

RefusedRecord = Callable[[LogRecord, Reason], None]


def is_late(event: Event, log_ms: int) -> bool:
    return log_ms - event.time_ms > HORIZON_MS


def accept(
    records: Iterable[LogRecord],
    erasures: Mapping[Shopper, int] | None = None,
    on_refused: RefusedRecord | None = None,
) -> Iterator[tuple[LogRecord, Event]]:
    """The records that count, each with its event; `erase` events among them.

    `records` must come in log-time order over all partitions: that is the caller's duty, and of
    two copies of an event the first in this order counts. An erase keeps out what its shopper
    did at or before it from then on; what was yielded before, the caller drops on seeing it, or
    gives `erasures` (of `find_erasures`, a pass made beforehand) and never sees it.
    Duplicates and erased events are left out in silence, refused ones go to `on_refused`.
    Memory: the ids and the erasures of the last WINDOW_MS."""
    memory = _Memory(dict(erasures or {}))
    for record in records:
        try:
            event = decode(record.value, record.headers, record.log_ms)
            if memory.admits(event, record.log_ms):
                yield record, event
        except Refused as refused:
            if on_refused is not None:
                on_refused(record, refused.reason)


def find_erasures(records: Iterable[LogRecord]) -> dict[Shopper, int]:
    """The log time (ms) of each shopper's last erase that counts, for `accept`."""
    return {
        (event.tenant, event.shopper): record.log_ms
        for record, event in accept(records)
        if event.type is EventType.ERASE
    }


class _Memory:
    """What must be remembered of the log so far: event ids and erase marks, for one window."""

    def __init__(self, known: Mapping[Shopper, int]) -> None:
        self._known = known
        self._marks: dict[Shopper, int] = {}
        self._ids: dict[Shopper, dict[str, int]] = {}
        self._order: deque[tuple[int, Shopper, str]] = deque()

    def admits(self, event: Event, log_ms: int) -> bool:
        """True for a first copy after the shopper's last erase; raises Refused when late."""
        self._forget_before(log_ms - WINDOW_MS)
        shopper = (event.tenant, event.shopper)
        if self._is_erased(event, shopper, log_ms):
            return False
        if is_late(event, log_ms):
            raise Refused(Reason.LATE, f"reached the log more than {HORIZON_MS} ms after its time")
        if event.event_id in self._ids.get(shopper, ()):
            return False
        if event.type is EventType.ERASE:
            self._ids.pop(shopper, None)
            self._marks[shopper] = log_ms
        self._ids.setdefault(shopper, {})[event.event_id] = log_ms
        self._order.append((log_ms, shopper, event.event_id))
        return True

    def _is_erased(self, event: Event, shopper: Shopper, log_ms: int) -> bool:
        first_moment = min(event.time_ms, log_ms)
        if first_moment <= self._marks.get(shopper, _NEVER):
            return True
        # The known erase itself bears the mark's log time, and has to come out.
        known = self._known.get(shopper, _NEVER)
        if event.type is EventType.ERASE and log_ms == known:
            return False
        return first_moment <= known

    def _forget_before(self, oldest_ms: int) -> None:
        """Exact to forget: a copy or a late retry that comes now is beyond the horizon."""
        while self._order and self._order[0][0] < oldest_ms:
            log_ms, shopper, event_id = self._order.popleft()
            ids = self._ids.get(shopper)
            if ids is not None and ids.get(event_id) == log_ms:
                del ids[event_id]
                if not ids:
                    del self._ids[shopper]
            if self._marks.get(shopper, oldest_ms) < oldest_ms:
                del self._marks[shopper]
