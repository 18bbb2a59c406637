"""What counts: first copies within the horizon, and nothing that an erase has taken away."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from millstream.domain.acceptance import (
    HORIZON_MS,
    WINDOW_MS,
    _Memory,
    accept,
    find_erasures,
)
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import Event, EventType, Line
from millstream.domain.log import LogRecord

START = 1_767_268_800_000
HOUR = 3600 * 1000


def event(event_id: str, at: int, user: str = "u", *, tenant: str = "default") -> Event:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)
    erase = event_id.startswith("erase")
    return Event(
        event_id=event_id,
        type=EventType.ERASE if erase else EventType.VIEW_ITEM,
        time=moment,
        tenant=tenant,
        user_id=user,
        items=() if erase else (Line("i"),),
    )


def logged(what: Event | bytes | None, log_ms: int, offset: int = 0) -> LogRecord:
    value = msgspec.json.encode(what) if isinstance(what, Event) else what
    return LogRecord("shop.events.v1", 0, offset, log_ms, b"k", value)


def ids(records: Iterable[LogRecord], **options: object) -> list[str]:
    return [found.event_id for _, found in accept(records, **options)]  # type: ignore[arg-type]


def test_the_first_copy_counts_within_tenant_and_shopper() -> None:
    records = [
        logged(event("a", START), START),
        logged(event("a", START), START + 1),
        logged(event("a", START, "v"), START + 2),
        logged(event("a", START, tenant="other"), START + 3),
        logged(event("b", START), START + 4),
    ]
    kept = [record.log_ms - START for record, _ in accept(records)]
    assert kept == [0, 2, 3, 4]


def test_late_and_bad_records_go_to_the_counter_with_their_reason() -> None:
    refused: list[tuple[int, Reason]] = []
    records = [
        logged(b"{", START, 0),
        logged(event("edge", START - HORIZON_MS), START, 1),
        logged(event("late", START - HORIZON_MS - 1), START, 2),
        logged(None, START, 3),
    ]
    kept = ids(records, on_refused=lambda record, why: refused.append((record.offset, why)))
    assert kept == ["edge"]
    assert refused == [(0, Reason.UNDECODABLE), (2, Reason.LATE), (3, Reason.UNDECODABLE)]


def test_a_retry_is_a_duplicate_until_it_is_late() -> None:
    """There is no moment at which a retry counts a second time."""
    ahead = START + 5 * 60 * 1000  # the shop's clock at its most
    for delay in range(0, WINDOW_MS + 2 * HOUR, HOUR // 2):
        first, retry = logged(event("a", ahead), START), logged(event("a", ahead), START + delay)
        assert ids([first, retry]) == ["a"], f"counted twice when retried after {delay} ms"


def test_an_erase_keeps_out_what_was_before_it() -> None:
    records = [
        logged(event("before", START), START),
        logged(event("erase", START + 9), START + 10),
        logged(event("late retry", START + 5), START + 20),
        logged(event("same moment", START + 10), START + 20),
        logged(event("before", START), START + 21),
        logged(event("erase", START + 9), START + 22),
        logged(event("after", START + 11), START + 23),
        logged(event("other", START + 5, "v"), START + 24),
    ]
    assert ids(records) == ["before", "erase", "after", "other"]


def test_with_erasures_found_beforehand_the_erased_never_comes_out() -> None:
    records = [
        logged(event("before", START), START),
        logged(event("erase-1", START + 1), START + 1),
        logged(event("between", START + 2), START + 2),
        logged(event("other", START, "v"), START + 3),
        logged(event("erase-2", START + 8), START + 10),
        logged(event("after", START + 11), START + 11),
    ]
    marks = find_erasures(records)
    assert marks == {("default", "u"): START + 10}
    assert ids(records, erasures=marks) == ["other", "erase-2", "after"]


def test_an_id_may_be_used_again_after_the_erase() -> None:
    ahead = START + 60_000
    records = [
        logged(event("a", ahead), START),
        logged(event("erase", START + 1), START + 1),
        logged(event("a", ahead), START + 2),
    ]
    assert ids(records) == ["a", "erase", "a"]
    assert ids(records, erasures=find_erasures(records)) == ["erase", "a"]


def test_events_before_1970_are_refused_not_erased() -> None:
    refused: list[Reason] = []
    assert not ids([logged(event("a", -5), START)], on_refused=lambda _, why: refused.append(why))
    assert refused == [Reason.OUT_OF_RANGE]


def test_memory_holds_one_window_and_forgetting_changes_no_verdict() -> None:
    rng = random.Random(7)
    records = []
    for step in range(3000):
        born = max(0, step - rng.choice([0, 0, 4, 80, 120]))
        name = "erase" if born % 50 == 0 else "e"
        found = event(f"{name}-{born}", START + born * HOUR // 4, f"u{born % 5}")
        records.append(logged(found, START + step * HOUR // 4))
    memory = _Memory({})
    kept = []
    for record in records:
        assert record.value is not None
        found = msgspec.json.decode(record.value, type=Event)
        try:
            if memory.admits(found, record.log_ms):
                kept.append(record)
        except Refused as refused:
            assert refused.reason is Reason.LATE  # noqa: PT017
        assert len(memory._order) <= WINDOW_MS // (HOUR // 4) + 1
        assert sum(map(len, memory._ids.values())) <= len(memory._order)
        assert len(memory._marks) <= 5
    assert kept == [record for record, _ in accept(records)] == list(_unbounded(records))


def _unbounded(records: Iterable[LogRecord]) -> Iterable[LogRecord]:
    """The rule told without forgetting."""
    seen: dict[str, set[str]] = {}
    marks: dict[str, int] = {}
    for record in records:
        assert record.value is not None
        found = msgspec.json.decode(record.value, type=Event)
        if min(found.time_ms, record.log_ms) <= marks.get(found.shopper, 0):
            continue
        if record.log_ms - found.time_ms > HORIZON_MS:
            continue
        if found.event_id in seen.setdefault(found.shopper, set()):
            continue
        if found.type is EventType.ERASE:
            marks[found.shopper] = record.log_ms
            seen[found.shopper] = set()
        seen[found.shopper].add(found.event_id)
        yield record
