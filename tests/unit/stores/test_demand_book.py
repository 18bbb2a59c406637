from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec

from millstream.domain.demand import DemandForecast
from millstream.stores.demand_book import DemandBook


def record(item: str, expected: float, tenant: str = "shop") -> tuple[bytes, bytes]:
    forecast = DemandForecast(
        tenant=tenant,
        item_id=item,
        first_week=date(2026, 6, 1),
        level=1.0,
        expected=expected,
        low=(0.0,),
        high=(9.0,),
        coverage=0.8,
        weeks_known=30,
        made_at=datetime(2026, 5, 31, tzinfo=UTC),
    )
    return f"{tenant}:{item}".encode(), msgspec.json.encode(forecast)


def test_the_last_record_of_an_item_counts_and_null_takes_it_away() -> None:
    book = DemandBook()
    for key, value in (record("a", 1), record("b", 2), record("a", 3), record("a", 4, "other")):
        book.take(key, value)
    found = book.get("shop", "a")
    assert found is not None
    assert found.expected == 3
    book.take(b"shop:a", None)
    assert (book.get("shop", "a"), book.items("shop")) == (None, frozenset({"b"}))
    assert book.get("nobody", "a") is None


def test_what_does_not_read_as_a_forecast_is_counted_and_changes_nothing() -> None:
    book = DemandBook()
    key, value = record("a", 1)
    book.take(key, value)
    for wrong in (b"", b"{}", value.replace(b'"expected":1', b'"expected":-1'), b"[" * 9_999):
        book.take(key, wrong)
    assert book.refused == 4
    assert book.items("shop") == {"a"}
