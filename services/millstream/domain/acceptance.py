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
from millstream.domain.replayed import Origin, OriginOf, no_origin

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


def check_in_time(event: Event, log_ms: int, origin: Origin | None = None) -> None:
    """Raises Refused when late: a replayed letter by the log time that it had at first, unless
    the operator takes it all the same."""
    judged_ms = log_ms if origin is None else origin.log_ms
    if is_late(event, judged_ms) and not (origin is not None and origin.accept_late):
        raise Refused(
            Reason.LATE, f"reached the log more than {HORIZON_MS // 3_600_000} h after its time"
        )


def accept(
    records: Iterable[LogRecord],
    erasures: Mapping[Shopper, int] | None = None,
    on_refused: RefusedRecord | None = None,
    origin_of: OriginOf = no_origin,
) -> Iterator[tuple[LogRecord, Event]]:
    """The records that count, each with its event; `erase` events among them.

    `records` must come in log-time order over all partitions: that is the caller's duty, and of
    two copies of an event the first in this order counts. An erase keeps out what its shopper
    did at or before it from then on; what was yielded before, the caller drops on seeing it, or
    gives `erasures` (of `find_erasures`, a pass made beforehand) and never sees it.
    Duplicates and erased events are left out in silence, refused ones go to `on_refused`.
    A replayed letter (`origin_of`) is judged by the log time that it had at first, and counts once
    by its first place, whenever it comes.
    Memory: the ids of the last WINDOW_MS; the erasures and the places of replayed letters, all of
    them, since a letter may come at any time."""
    memory = _Memory(dict(erasures or {}))
    for record in records:
        try:
            origin = _origin(record, origin_of) if record.headers else None
            judged_ms = record.log_ms if origin is None else origin.log_ms
            event = decode(record.value, record.headers, judged_ms)
            if memory.admits(event, record.log_ms, origin):
                yield record, event
        except Refused as refused:
            if on_refused is not None:
                on_refused(record, refused.reason)


def _origin(record: LogRecord, origin_of: OriginOf) -> Origin | None:
    return origin_of(record.topic, record.key, record.value, record.headers)


def find_erasures(
    records: Iterable[LogRecord], origin_of: OriginOf = no_origin
) -> dict[Shopper, int]:
    """The log time (ms) of each shopper's last erase that counts, for `accept`."""
    return {
        (event.tenant, event.shopper): record.log_ms
        for record, event in accept(records, origin_of=origin_of)
        if event.type is EventType.ERASE
    }


class _Memory:
    """What must be remembered of the log so far: event ids for one window, erase marks and the
    places of replayed letters for good."""

    def __init__(self, known: Mapping[Shopper, int]) -> None:
        self._known = known
        self._marks: dict[Shopper, int] = {}
        self._ids: dict[Shopper, dict[str, int]] = {}
        self._order: deque[tuple[int, Shopper, str]] = deque()
        self._replayed: set[tuple[Shopper, str]] = set()

    def admits(self, event: Event, log_ms: int, origin: Origin | None = None) -> bool:
        """True for a first copy after the shopper's last erase; raises Refused when late."""
        self._forget_before(log_ms - WINDOW_MS)
        shopper = (event.tenant, event.shopper)
        if self._is_erased(event, shopper, log_ms, origin):
            return False
        check_in_time(event, log_ms, origin)
        if event.event_id in self._ids.get(shopper, ()):
            return False
        if origin is not None:
            if (shopper, origin.place) in self._replayed:
                return False
            self._replayed.add((shopper, origin.place))
        if event.type is EventType.ERASE:
            self._ids.pop(shopper, None)
            self._marks[shopper] = log_ms
        self._ids.setdefault(shopper, {})[event.event_id] = log_ms
        self._order.append((log_ms, shopper, event.event_id))
        return True

    def _is_erased(
        self, event: Event, shopper: Shopper, log_ms: int, origin: Origin | None
    ) -> bool:
        first_moment = min(event.time_ms, log_ms if origin is None else origin.log_ms)
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
