"""The report made of what attribution counted."""

from __future__ import annotations

import math
from collections import Counter

from millstream.gateway import telemetry
from millstream.gateway.kpis import Exposure, Percentiles, _latency, exposure, percentiles, report
from millstream.stores.attributions import Field

NOTHING = Percentiles(None, None)
COUNTS: Counter[Field] = Counter(
    {
        ("lists", "v1", "default"): 4,
        ("places", "v1", "default", "repeat"): 8,
        ("places", "v1", "default", "rule"): 4,
        ("seen", "v1", "default", "repeat", "carried"): 5,
        ("clicked", "v1", "default", "repeat", "carried"): 2,
        ("clicked", "v1", "default", "repeat", "window"): 1,
        ("seen_clicked", "v1", "default", "repeat", "carried"): 2,
        ("bought", "v1", "default", "rule", "window"): 1,
        ("unknown", "clicked"): 3,
        ("freshness", "20"): 98,
        ("freshness", "80"): 2,
    }
)


def test_rates_are_of_what_was_told_as_seen_and_sums_of_all() -> None:
    told = report(("20260101",), COUNTS, Counter(a=9, b=2, c=1), 6, NOTHING)
    (of_lists,) = told.lists
    assert (of_lists.lists, of_lists.places, of_lists.clicked, of_lists.bought) == (4, 12, 3, 1)
    assert of_lists.click_through == 0.4
    assert of_lists.clicks_per_list == 0.75
    repeat, rule = told.sources
    assert (repeat.source, repeat.seen, repeat.click_through) == ("repeat", 5, 0.4)
    assert (rule.source, rule.bought, rule.click_through) == ("rule", 1, None)
    assert (told.carried, told.unknown) == (2, 3)
    assert (told.items_shown, told.coverage, told.top_share) == (3, 0.5, 0.75)
    assert told.freshness == Percentiles(20, 80)


def test_nothing_counted_is_told_as_such() -> None:
    told = report(("20260101",), Counter(), Counter(), 0, NOTHING)
    assert (told.lists, told.sources, told.coverage, told.top_share) == ((), (), None, None)
    assert told.freshness == NOTHING


def test_exposure_is_the_part_of_all_places() -> None:
    assert exposure(7, 3, COUNTS) == Exposure(7, 3, 4, 0.25)
    assert exposure(7, 0, COUNTS) == Exposure(7, 0, 4, 0.0)
    assert exposure(7, 0, Counter({("unknown", "clicked"): 3})) is None, "no list was counted"


def test_percentiles_are_upper_edges() -> None:
    assert percentiles({10.0: 50, 20.0: 49, 40.0: 1}) == Percentiles(10, 20)
    assert percentiles({10.0: 49, 20.0: 49, 40.0: 2}) == Percentiles(20, 40)
    assert percentiles({10.0: 50, math.inf: 50}) == Percentiles(10, None)


def test_latency_is_read_off_the_histogram() -> None:
    """Of one tenant: how long another's lists took is not its business."""
    telemetry.LIST_SECONDS.labels("quick-shop").observe(0.0007)
    telemetry.LIST_SECONDS.labels("slow-shop").observe(3)
    assert _latency("quick-shop") == Percentiles(1, 1)
    assert _latency("slow-shop") == Percentiles(5_000, 5_000)
    assert _latency("new-shop") == NOTHING
