"""Facts of the shipped Parquet, and what the demo's slice of it comes to."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType, check_event
from millstream.local.online_retail import DEMO_UNTIL, OnlineRetailReplay, read_invoices
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.local.prepare import SHIPPED, convert

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def test_all_lines_of_the_publication_are_shipped() -> None:
    facts = pl.scan_parquet(SHIPPED).select(
        lines=pl.len(),
        invoices=pl.col("invoice").n_unique(),
        items=pl.col("item_id").n_unique(),
        customers=pl.col("customer").drop_nulls().n_unique(),
        without_customer=pl.col("customer").null_count(),
        without_price=(pl.col("price") <= 0).sum(),
        in_order=pl.col("time").is_sorted(),
    )
    assert facts.collect().row(0, named=True) == {
        "lines": 541_909,
        "invoices": 25_900,
        "items": 4_070,
        "customers": 4_372,
        "without_customer": 135_080,
        "without_price": 2_517,
        "in_order": True,
    }
    assert SHIPPED.stat().st_size < 5_000_000


def test_an_invoice_whose_lines_are_torn_apart_is_one_invoice() -> None:
    numbers = Counter(invoice.number for invoice in read_invoices(until=date(2011, 2, 2)))
    assert numbers["542806"] == 1
    assert max(numbers.values()) == 1


def test_the_slice_of_the_demo() -> None:
    replay = OnlineRetailReplay()
    events: Counter[EventType] = Counter()
    lines: Counter[EventType] = Counter()
    catalogue = 0
    hidden = set()
    ids = set()
    last = None
    for step in replay.stream(read_invoices(until=DEMO_UNTIL)):
        if isinstance(step, CatalogueItem):
            catalogue += 1
            hidden |= {step.item_id} if step.hidden else set()
            continue
        assert isinstance(step, Event)
        check_event(step)
        assert last is None or last <= step.time, "the stream went back in time"
        last = step.time
        ids.add(step.event_id)
        events[step.type] += 1
        lines[step.type] += len(step.items)
    assert events == {
        EventType.VIEW_ITEM: 18_407,
        EventType.PURCHASE: 6_551,
        EventType.REFUND: 1_363,
    }
    assert len(ids) == 26_321
    assert lines[EventType.PURCHASE] == 167_790
    assert (replay.skipped["price"], replay.skipped["item_id"]) == (1_047, 0)
    assert sum(lines.values()) - lines[EventType.VIEW_ITEM] + 1_047 == 171_999
    assert catalogue == 3_299
    assert hidden == NOT_GOODS - {"B", "CRUK"}, "these two are booked later in the year"


def test_convert_keeps_every_line_and_their_order(tmp_path: Path) -> None:
    source = tmp_path / "some.csv"
    source.write_text(
        HEADER
        + "536365,85123A,WHITE HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n"
        + "A563186,B,,-1,2011-08-12 14:51:00,-11062.06,,United Kingdom\n"
    )
    assert convert(source, tmp_path / "some.parquet") == 2
    first, second = read_invoices(tmp_path / "some.parquet")
    assert (first.number, first.customer, first.lines[0].price) == ("536365", 17850, 2.55)
    assert (second.customer, second.lines[0].title, second.lines[0].quantity) == (None, "", -1)
    assert first.time.isoformat() == "2010-12-01T08:26:00+00:00"


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"nowhere\.csv"):
        convert(tmp_path / "nowhere.csv", tmp_path / "some.parquet")
