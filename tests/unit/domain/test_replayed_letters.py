"""A replayed letter counts once by its first place, judged by its first log time."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from tests.builders import NOON_MS, TOPIC, event

from millstream.domain.acceptance import HORIZON_MS, WINDOW_MS, accept, find_erasures
from millstream.domain.errors import Reason
from millstream.domain.events import Event, EventType
from millstream.domain.log import Headers, LogRecord
from millstream.domain.replayed import ORIGIN, Origin, read_claim

MUCH_LATER_MS = NOON_MS + 20 * WINDOW_MS


def claimed(
    _topic: str, _key: bytes | None, _value: bytes | None, headers: Headers
) -> Origin | None:
    """Every claim counts: whose it is, is not asked here."""
    return next((read_claim(held or b"") for name, held in headers if name == ORIGIN), None)


def logged(what: Event, log_ms: int, origin: Origin | None = None) -> LogRecord:
    """Its offset is its log time."""
    headers: Headers = ((ORIGIN, origin.claim()),) if origin else ()
    return LogRecord(TOPIC, 0, log_ms, log_ms, b"k", msgspec.json.encode(what), headers)


def verdicts(records: Iterable[LogRecord]) -> tuple[list[int], list[Reason]]:
    """Offsets that count, reasons of those refused."""
    refused: list[Reason] = []
    kept = accept(records, None, lambda _, why: refused.append(why), claimed)
    return [record.offset - NOON_MS for record, _ in kept], refused


FIRST = Origin(TOPIC, 3, 9, NOON_MS + 1)


def test_however_old_it_counts_once() -> None:
    records = [
        logged(event("e"), MUCH_LATER_MS, FIRST),
        logged(event("e"), MUCH_LATER_MS + 1, FIRST),
        logged(event("mended anew"), MUCH_LATER_MS + 2 * WINDOW_MS, FIRST),
        logged(event("f"), MUCH_LATER_MS + 2 * WINDOW_MS, Origin(TOPIC, 3, 10, NOON_MS)),
    ]
    kept, refused = verdicts(records)
    assert kept == [r.offset - NOON_MS for r in (records[0], records[3])]
    assert refused == []


def test_an_id_that_counted_within_the_window_is_a_duplicate() -> None:
    records = [logged(event("e"), NOON_MS), logged(event("e"), NOON_MS + WINDOW_MS, FIRST)]
    assert verdicts(records) == ([0], [])
    # The place was not spent on it: mended to what it should have been, it counts.
    records.append(logged(event("e2"), NOON_MS + WINDOW_MS + 1, FIRST))
    assert verdicts(records)[0] == [0, WINDOW_MS + 1]


def test_a_retry_by_the_shop_after_the_replay_is_a_duplicate() -> None:
    at = NOON_MS + HORIZON_MS
    records = [logged(event("e"), at - 1, FIRST), logged(event("e"), at)]
    assert verdicts(records) == ([HORIZON_MS - 1], [])


def test_late_stays_late_unless_it_is_taken() -> None:
    late = Origin(TOPIC, 3, 9, NOON_MS + HORIZON_MS + 1)
    taken = Origin(TOPIC, 3, 9, late.log_ms, accept_late=True)
    assert verdicts([logged(event("e"), MUCH_LATER_MS, late)]) == ([], [Reason.LATE])
    assert len(verdicts([logged(event("e"), MUCH_LATER_MS, taken)])[0]) == 1


def test_what_was_erased_after_its_first_time_stays_erased() -> None:
    erase = event("x", kind=EventType.ERASE, at_ms=NOON_MS + 10)
    before, after = Origin(TOPIC, 3, 9, NOON_MS + 5), Origin(TOPIC, 3, 10, NOON_MS + 21)
    records = [
        logged(erase, NOON_MS + 10),
        logged(event("e"), MUCH_LATER_MS - 1, before),
        logged(event("f", at_ms=NOON_MS + 20), MUCH_LATER_MS, after),
    ]
    assert [offset + NOON_MS for offset in verdicts(records)[0]] == [NOON_MS + 10, MUCH_LATER_MS]
    known = find_erasures(records, claimed)
    kept = [found.event_id for _, found in accept(records, known, None, claimed)]
    assert kept == ["x", "f"]
