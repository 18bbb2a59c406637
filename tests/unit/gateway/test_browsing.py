"""What is found on the shelves by words, and when a click-through is known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import EventType
from millstream.gateway.browsing import click_through, matching


def entry(item_id: str, title: str, *, hidden: bool = False) -> CatalogueItem:
    added = datetime(2026, 1, 1, tzinfo=UTC)
    return CatalogueItem(item_id=item_id, title=title, added_at=added, hidden=hidden)


SHELF = [
    entry("22423", "Regency cakestand 3 tier"),
    entry("85123A", "White hanging heart t-light holder"),
    entry("x", "White heart wreath", hidden=True),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("heart white", ["85123A", "x"]),
        ("HEART", ["85123A", "x"]),
        ("85123a", ["85123A"]),
        ("cake heart", []),
    ],
)
def test_every_word_must_be_in_title_or_id(text: str, found: list[str]) -> None:
    assert [item.item_id for item in matching(SHELF, text, 9)] == found


def test_no_more_than_asked_for() -> None:
    assert len(matching(SHELF, "heart", 1)) == 1


def test_click_through_is_known_only_where_impressions_are() -> None:
    assert click_through({EventType.SELECT_ITEM: 3}) is None
    assert click_through({EventType.VIEW_ITEM_LIST: 12, EventType.SELECT_ITEM: 3}) == 0.25
    assert click_through({EventType.VIEW_ITEM_LIST: 12}) == 0
