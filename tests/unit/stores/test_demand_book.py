from __future__ import annotations

from tests.builders import forecast

from millstream.stores.demand_book import DemandBook

MADE = [
    forecast("a", 1, "shop"),
    forecast("b", 2, "shop"),
    forecast("a", 3, "shop"),
    forecast("a", 4, "other"),
]


def test_the_last_record_of_an_item_counts_and_null_takes_it_away() -> None:
    book = DemandBook()
    for key, value in MADE:
        book.take(key, value)
    found = book.get("shop", "a")
    assert found is not None
    assert found.expected == 3
    book.take(b"shop:a", None)
    assert (book.get("shop", "a"), book.items("shop")) == (None, frozenset({"b"}))
    assert book.get("nobody", "a") is None


def test_what_does_not_read_as_a_forecast_is_counted_and_changes_nothing() -> None:
    book = DemandBook()
    key, value = forecast("a", 1, "shop")
    book.take(key, value)
    for wrong in (b"", b"{}", value.replace(b'"expected":1', b'"expected":-1'), b"[" * 9_999):
        book.take(key, wrong)
    assert book.refused == 4
    assert book.items("shop") == {"a"}
