"""What becomes of each event, as those who look on see it; of their own tenant alone."""

from __future__ import annotations

import msgspec
from tests.builders import NOON_MS, event

from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.errors import Reason
from millstream.domain.events import Event, EventType
from millstream.domain.identity import record_key
from millstream.domain.log import LogRecord
from millstream.domain.replayed import ORIGIN
from millstream.gateway import live_feed
from millstream.gateway.live_feed import KEPT, SHOWN_ITEMS, Fate, LiveFeed


def feed() -> LiveFeed:
    return LiveFeed(lambda: {"shop"})


def written(
    what: Event | bytes, offset: int = 0, *, tenant: str = "shop", log_ms: int = NOON_MS
) -> LogRecord:
    value = what if isinstance(what, bytes) else msgspec.json.encode(what)
    return LogRecord("t", 3, offset, log_ms, record_key(tenant, "ann"), value)


def test_each_event_is_told_with_its_fate() -> None:
    live = feed()
    basket = event("e1", "ann", "tea", "pot", "cup", "jug", kind=EventType.ADD_TO_CART)
    live.take(written(basket, 7))
    live.take(written(event("e1", "ann", "tea"), 8))
    live.take(written(event("e2", "ann", "tea", at_ms=NOON_MS - HORIZON_MS - 1), 9))
    live.take(written(b'{"event_id":', 10))
    first, second, third, fourth = live.after("shop", 0)
    assert (first.fate, first.items, first.item_count) == (
        Fate.ACCEPTED,
        ("tea", "pot", "cup")[:SHOWN_ITEMS],
        4,
    )
    assert (first.shopper, first.type, first.partition, first.offset) == (
        "ann",
        "add_to_cart",
        3,
        7,
    )
    assert second.fate is Fate.DUPLICATE
    assert (third.fate, third.reason) == (Fate.LATE, Reason.LATE)
    assert (fourth.fate, fourth.reason) == (Fate.DEAD_LETTERED, Reason.UNDECODABLE)
    assert live.fates("shop") == {
        Fate.ACCEPTED: 1,
        Fate.DUPLICATE: 1,
        Fate.LATE: 1,
        Fate.DEAD_LETTERED: 1,
        Fate.REPLAYED: 0,
    }


def test_the_same_id_of_another_shopper_is_another_event() -> None:
    live = feed()
    live.take(written(event("e1", "ann")))
    live.take(written(event("e1", "bob")))
    assert [one.fate for one in live.after("shop", 0)] == [Fate.ACCEPTED] * 2


def test_a_letter_sent_again_is_known_as_one_though_its_time_is_long_ago() -> None:
    live = feed()
    old = written(event("e1", "ann", at_ms=NOON_MS - 9 * HORIZON_MS))
    again = LogRecord(*old_fields(old), headers=((ORIGIN, b"t:3:1:5"),))
    live.take(again)
    assert [one.fate for one in live.after("shop", 0)] == [Fate.REPLAYED]


def old_fields(record: LogRecord) -> tuple[str, int, int, int, bytes | None, bytes | None]:
    return (
        record.topic,
        record.partition,
        record.offset,
        record.log_ms,
        record.key,
        record.value,
    )


def test_another_tenants_events_are_not_even_decoded() -> None:
    live = feed()
    live.take(written(event("e1", "ann", tenant="other"), tenant="other"))
    live.take(LogRecord("t", 0, 0, NOON_MS, None, b"no key"))
    assert live.after("other", 0) == live.after("shop", 0) == []
    assert sum(live.fates("other").values()) == 0


def test_numbers_do_not_tell_how_much_another_tenant_has() -> None:
    live = LiveFeed(lambda: {"shop", "other"})
    for n, tenant in enumerate(["shop", "other", "other", "shop"]):
        live.take(written(event(f"e{n}", "ann", tenant=tenant), n, tenant=tenant))
    assert [one.n for one in live.after("shop", 0)] == [1, 2]


def test_only_what_is_newer_is_told_and_only_so_much_is_kept() -> None:
    live = feed()
    for n in range(KEPT + 5):
        live.take(written(event(f"e{n}", "ann"), n))
    kept = live.after("shop", 0)
    assert len(kept) == KEPT
    assert kept[-1].offset == KEPT + 4
    assert [one.n for one in live.after("shop", kept[-3].n)] == [kept[-2].n, kept[-1].n]


def test_ids_are_not_remembered_for_ever() -> None:
    live = feed()
    for n in range(live_feed.REMEMBERED + 1):
        live.take(written(event(f"e{n}", "ann"), n))
    live.take(written(event("e0", "ann"), n + 1))
    live.take(written(event(f"e{n}", "ann"), n + 2))
    assert [one.fate for one in live.after("shop", 0)[-2:]] == [Fate.ACCEPTED, Fate.DUPLICATE]
