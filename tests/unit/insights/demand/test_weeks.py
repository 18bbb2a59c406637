from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from millstream.insights.demand.weeks import Weekly, weekly


def lines(*rows: tuple[str, str, int, str]) -> pl.DataFrame:
    """item, type, quantity, day."""
    at = [
        int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000) for *_, day in rows
    ]
    return pl.DataFrame(
        {
            "item": [row[0] for row in rows],
            "type": [row[1] for row in rows],
            "quantity": [row[2] for row in rows],
            "time_ms": at,
        },
        schema={"item": pl.String, "type": pl.String, "quantity": pl.Int64, "time_ms": pl.Int64},
    )


def test_weeks_are_monday_to_sunday_and_the_newest_one_is_left_out() -> None:
    found = weekly(
        lines(
            ("mug", "purchase", 2, "2026-03-02T00:00"),  # a Monday
            ("mug", "purchase", 3, "2026-03-08T23:59"),
            ("mug", "purchase", 5, "2026-03-09T00:00"),
            ("pot", "purchase", 7, "2026-03-16T00:00"),
        )
    )
    assert found.items == ("mug",)
    assert found.units.tolist() == [[5, 5]]
    assert (found.first_monday, found.monday_after()) == (date(2026, 3, 2), date(2026, 3, 16))


def test_a_week_without_sales_is_zero_and_views_are_no_demand() -> None:
    found = weekly(
        lines(
            ("pot", "view_item", 1, "2026-02-23T12:00"),
            ("pot", "purchase", 1, "2026-03-02T12:00"),
            ("mug", "purchase", 4, "2026-03-16T12:00"),
            ("pot", "view_item", 1, "2026-03-23T12:00"),
        )
    )
    assert found.items == ("mug", "pot")
    assert found.units.tolist() == [[0, 0, 4], [1, 0, 0]]


def test_what_came_back_counts_in_its_week_and_leaves_no_debt() -> None:
    found = weekly(
        lines(
            ("mug", "purchase", 10, "2026-03-02T12:00"),
            ("mug", "refund", 4, "2026-03-03T12:00"),
            ("mug", "refund", 6, "2026-03-10T12:00"),
            ("mug", "purchase", 2, "2026-03-10T12:00"),
            ("mug", "purchase", 3, "2026-03-17T12:00"),
            ("mug", "purchase", 1, "2026-03-24T12:00"),
        )
    )
    assert found.units.tolist() == [[6, 0, 3]]


@pytest.mark.parametrize("rows", [[], [("mug", "refund", 1, "2026-03-02T12:00")]])
def test_without_a_purchase_there_are_no_weeks(rows: list[tuple[str, str, int, str]]) -> None:
    found = weekly(lines(*rows))
    assert (found.items, found.units.shape) == ((), (0, 0))


def test_rows_are_taken_with_their_items() -> None:
    made = Weekly(("a", "b", "c"), weekly(lines(*SOLD)).units, date(2026, 3, 2))
    taken = made.take([2, 0])
    assert (taken.items, taken.units.tolist()) == (("c", "a"), [[3], [1]])


SOLD = [
    *((item, "purchase", units, "2026-03-02") for item, units in (("a", 1), ("b", 2), ("c", 3))),
    ("a", "purchase", 1, "2026-03-09"),
]
