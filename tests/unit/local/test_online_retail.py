"""The rules from invoice lines to events, on invoices made by hand."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event, EventType, check_event
from millstream.local.online_retail import (
    Invoice,
    InvoiceLine,
    OnlineRetailReplay,
    accepted_lines,
    browse_events,
    invoice_events,
    line_type,
)
from millstream.local.online_retail_catalogue import CATEGORIES, catalogue_item, category_of

NOON = datetime(2011, 1, 4, 12, 0, tzinfo=UTC)


def invoice(
    *lines: tuple[str, int, float],
    number: str = "536365",
    customer: int | None = 17850,
    minute: int = 0,
) -> Invoice:
    made = tuple(InvoiceLine(item, f"{item} MUG", count, price) for item, count, price in lines)
    return Invoice(number, customer, NOON + timedelta(minutes=minute), made)


def events_of(*invoices: Invoice) -> list[Event]:
    stream = OnlineRetailReplay().stream(invoices)
    return [step for step in stream if isinstance(step, Event)]


@pytest.mark.parametrize(
    ("number", "item", "quantity", "price", "verdict"),
    [
        ("536365", "85123A", 6, 2.55, EventType.PURCHASE),
        ("C536379", "D", -1, 27.5, EventType.REFUND),
        ("C536379", "D", 1, 27.5, EventType.REFUND),
        ("536365", "85123A", -6, 2.55, EventType.REFUND),
        ("C536379", "85123A", -6, 0.0, "price"),
        ("A563186", "B", 1, -11062.06, "price"),
        ("536365", "851{23", 6, 2.55, "item_id"),
        ("536365", "", 6, 2.55, "item_id"),
        ("536365", "x" * 129, 6, 2.55, "item_id"),
    ],
)
def test_the_first_rule_that_fits_decides(
    number: str, item: str, quantity: int, price: float, verdict: EventType | str
) -> None:
    bill = invoice((item, quantity, price), number=number)
    assert line_type(bill, bill.lines[0]) == verdict


def test_one_event_per_invoice_with_its_lines_as_they_stand() -> None:
    bill = invoice(("a", 6, 2.5), ("gone", 1, 0.0), ("a", 1, 2.4), ("b", 2, 1.0))
    skipped: Counter[str] = Counter()
    (event,) = invoice_events(bill, skipped)
    assert (event.event_id, event.type, event.time) == ("or-536365-0", EventType.PURCHASE, NOON)
    assert (event.user_id, event.anonymous_id, event.currency) == ("17850", None, "GBP")
    assert [(i.item_id, i.quantity, i.price, i.index) for i in event.items] == [
        ("a", 6, 2.5, 0),
        ("a", 1, 2.4, 1),
        ("b", 2, 1.0, 2),
    ]
    assert skipped == {"price": 1}


def test_a_shopper_without_customer_number_is_named_by_the_invoice() -> None:
    (event,) = invoice_events(invoice(("a", 1, 1.0), customer=None), Counter())
    assert event.shopper == "~536365"


def test_refunded_quantities_are_positive() -> None:
    (event,) = invoice_events(invoice(("a", -3, 1.0), number="C1"), Counter())
    assert (event.type, event.items[0].quantity) == (EventType.REFUND, 3)


def test_parts_hold_200_lines_and_are_numbered_across_both_kinds() -> None:
    lines = [(f"i{n}", 1, 1.0) for n in range(401)] + [("back", -1, 1.0)]
    events = invoice_events(invoice(*lines), Counter())
    assert [(e.event_id, e.type, len(e.items)) for e in events] == [
        ("or-536365-0", EventType.PURCHASE, 200),
        ("or-536365-1", EventType.PURCHASE, 200),
        ("or-536365-2", EventType.PURCHASE, 1),
        ("or-536365-3", EventType.REFUND, 1),
    ]
    assert events[1].items[0].item_id == "i200"


def test_an_invoice_of_skipped_lines_is_no_event() -> None:
    assert events_of(invoice(("a", 1, 0.0))) == []


def test_demand_is_read_from_the_csv_without_postage_and_skipped_lines(tmp_path: Path) -> None:
    source = tmp_path / "online_retail.csv.gz"
    with gzip.open(source, "wt") as file:
        file.write(
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
            "536365,71053,LANTERN,6,2011-01-04 12:00:00,3.39,17850.0,France\n"
            "536365,POST,POSTAGE,1,2011-01-04 12:00:00,18.0,17850.0,France\n"
            "536366,71053,LANTERN,3,2011-01-04 12:01:00,0.0,,France\n"
            "C536367,71053,LANTERN,-2,2011-01-04 12:02:00,3.39,17850.0,France\n"
        )
    at = int(NOON.timestamp() * 1000)
    assert accepted_lines(source).rows() == [
        ("71053", "purchase", 6, at),
        ("71053", "refund", 2, at + 120_000),
    ]


@pytest.mark.parametrize(
    ("bought", "passed_over", "viewed"),
    [
        (["a"], None, ["a"]),
        (["a", "b"], None, ["a", "b"]),
        (["a", "b", "c", "d", "e"], None, ["a", "d"]),
        (["a", "a", "a", "b"], None, ["a", "b"]),
        (["a", "b", "c", "d"], "x", ["x", "a", "c"]),
        (["a", "b"], "b", ["a", "b"]),
    ],
)
def test_the_rule_of_simulated_views(
    bought: list[str], passed_over: str | None, viewed: list[str]
) -> None:
    events = browse_events(invoice(), bought, passed_over)
    assert [event.items[0].item_id for event in events] == viewed
    assert all(event.context == {"simulated": True} for event in events)
    assert {event.type for event in events} == {EventType.VIEW_ITEM}
    minutes = [(NOON - event.time) // timedelta(minutes=1) for event in events]
    assert minutes == list(range(len(viewed), 0, -1))


def test_views_belong_to_the_shopper_and_visit_of_their_invoice() -> None:
    events = events_of(invoice(("a", 1, 1.0), customer=None))
    assert [event.type for event in events] == [EventType.VIEW_ITEM, EventType.PURCHASE]
    assert {event.shopper for event in events} == {"~536365"}
    assert {event.session_id for event in events} == {"or-536365"}


def test_refunds_are_not_browsed_for() -> None:
    events = events_of(invoice(("a", -1, 1.0), number="C9"))
    assert [event.type for event in events] == [EventType.REFUND]


def test_postage_is_bought_but_not_browsed_for() -> None:
    events = events_of(
        invoice(("POST", 1, 18.0), ("a", 1, 1.0), number="1"),
        invoice(("POST", 1, 18.0), number="2", minute=60),
    )
    assert [(event.type, event.items[0].item_id) for event in events] == [
        (EventType.VIEW_ITEM, "a"),
        (EventType.PURCHASE, "POST"),
        (EventType.PURCHASE, "POST"),
    ]


def test_events_of_neighbouring_invoices_come_in_time_order() -> None:
    events = events_of(
        invoice(("a", 1, 1.0), ("b", 1, 1.0), number="1"),
        invoice(("c", 1, 1.0), ("d", 1, 1.0), number="2", minute=1),
        invoice(("e", 1, 1.0), number="3", minute=30),
    )
    times = [event.time for event in events]
    assert times == sorted(times)
    assert [event.event_id for event in events] == [
        "or-1-view-0",
        "or-2-view-0",
        "or-1-view-1",
        "or-2-view-1",
        "or-1-0",
        "or-2-view-2",
        "or-2-0",
        "or-3-view-0",
        "or-3-view-1",
        "or-3-0",
    ]
    assert len({event.event_id for event in events}) == len(events)


def test_an_item_enters_the_catalogue_before_the_first_event_that_names_it() -> None:
    bills = [
        invoice(("a", 1, 2.0), ("POST", 1, 18.0), number="1"),
        invoice(("a", 1, 3.0), ("b", -1, 5.0), number="2", minute=9),
    ]
    told: dict[str, CatalogueItem] = {}
    for step in OnlineRetailReplay().stream(bills):
        if isinstance(step, CatalogueItem):
            assert step.item_id not in told
            told[step.item_id] = step
        else:
            assert {line.item_id for line in step.items} <= told.keys()
    assert (told["a"].title, told["a"].price, told["a"].category) == ("A mug", 2.0, "mug")
    assert told["a"].added_at == NOON - timedelta(minutes=1)
    assert told["b"].price == 5.0
    assert [item_id for item_id, item in told.items() if item.hidden] == ["POST"]


def test_every_event_passes_the_check_of_the_wire() -> None:
    for event in events_of(invoice(("a", 6, 2.5), ("b", -1, 1.0)), invoice(("c", 1, 1.0))):
        check_event(event)


@pytest.mark.parametrize(
    ("title", "category"),
    [
        ("WHITE HANGING HEART T-LIGHT HOLDER", "holder"),
        ("JUMBO BAG RED RETROSPOT", "bag"),
        ("SET 7 BABUSHKA NESTING BOXES", "box"),
        ("SET/6 RED SPOTTY PAPER PLATES", "plate"),
        ("HAPPY STENCIL CRAFT", ""),
        ("", ""),
    ],
)
def test_the_category_is_the_last_noun_of_the_title(title: str, category: str) -> None:
    assert category_of(title) == category


def test_a_blank_title_becomes_the_stock_code() -> None:
    assert catalogue_item("22423", "", 1.0, NOON).title == "22423"
    assert "" not in CATEGORIES
