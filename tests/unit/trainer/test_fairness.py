"""Exposure and relevance by hand, and quality by group on lists whose hits are known."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tests.unit.trainer.gate.worlds import COUNT, EXAM, views

from millstream.domain.catalogue import CatalogueItem
from millstream.model.fairness import Fairness, ItemGroup
from millstream.trainer.fairness import fairness
from millstream.trainer.gate.exam import WHOLE_LIST
from millstream.trainer.gate.rule import GateRule

RULE = GateRule(resamples=200)
HITS = [3 if place % 10 == 0 else 1 for place in range(COUNT)]
"""New shoppers get all three that they want, the others one."""


def catalogue() -> dict[str, CatalogueItem]:
    """A price of 1 to 8 and a category by an item's number; every hundredth has neither."""
    return {
        f"i{n:03}": CatalogueItem(
            item_id=f"i{n:03}",
            added_at=datetime(2026, 1, 1, tzinfo=UTC),
            category=f"c{n % 2}" if n % 100 else "",
            price=float(n % 8 + 1) if n % 100 else None,
        )
        for n in range(200)
    }


def measured() -> Fairness:
    return fairness(EXAM, views(HITS)[WHOLE_LIST], catalogue(), RULE)


def groups(kind: str) -> dict[str, ItemGroup]:
    return {group.name: group for group in measured().items if group.kind == kind}


def test_quality_by_group_of_shoppers() -> None:
    found = {group.name: group for group in measured().shoppers}
    new, light, heavy = (found[f"{name} shoppers"] for name in ("new", "light", "heavy"))
    assert (new.shoppers, light.shoppers + heavy.shoppers) == (12, 108)
    assert (new.recall, new.recall_low, new.recall_high) == (1.0, 1.0, 1.0)
    assert light.recall == pytest.approx(1 / 3)
    assert light.recall_low <= light.recall <= light.recall_high
    assert heavy.shoppers == 0, "all old shoppers have as many lines"


def test_quality_by_country() -> None:
    """By the worlds' own division those of FR are the new ones."""
    found = {group.name: group for group in measured().shoppers}
    assert (found["country FR"].shoppers, found["country GB"].shoppers) == (12, 108)
    assert (found["country FR"].recall, found["country FR"].recall_low) == (1.0, 1.0)
    assert found["country GB"].recall == pytest.approx(1 / 3)


def test_shares_of_each_kind_make_a_whole() -> None:
    for kind in ("category", "price", "age", "popularity"):
        found = groups(kind).values()
        assert sum(group.exposure for group in found) == pytest.approx(1)
        assert sum(group.relevance for group in found) == pytest.approx(1)
        assert sum(group.items for group in found) == len(EXAM.known_items)


def test_exposure_counts_the_first_places_most() -> None:
    """What nobody wanted stands behind, under names that no catalogue has."""
    category = groups("category")
    shown = sum(group.exposure for name, group in category.items() if name != "none given")
    places = [1.0, 0.63093, 0.5]  # 1 / log2(2), 1 / log2(3), 1 / log2(4)
    whole = sum(1 / log for log in _logs())
    wanted = (12 * sum(places) + 108 * places[0]) / (120 * whole)
    assert shown == pytest.approx(wanted, rel=0.02)  # a few have no category
    assert category["c1"].relevance == pytest.approx(0.5, abs=0.02)


def _logs() -> list[float]:
    from math import log2

    return [log2(place + 2) for place in range(20)]


def test_price_bands_hold_as_many_items_each() -> None:
    found = groups("price")
    assert set(found) == {"up to 2.00", "up to 4.00", "up to 6.00", "over 6.00", "none given"}
    sizes = [group.items for name, group in found.items() if name != "none given"]
    assert max(sizes) - min(sizes) <= 2


def test_without_a_catalogue_nothing_is_made_up() -> None:
    found = fairness(EXAM, views(HITS)[WHOLE_LIST], {}, RULE)
    names = {
        (group.kind, group.name) for group in found.items if group.kind in {"category", "price"}
    }
    assert names == {("category", "none given"), ("price", "none given")}
