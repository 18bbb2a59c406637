"""An experiment beside what attribution counted of it."""

from __future__ import annotations

from datetime import timedelta

import msgspec
from tests.unit.stores.test_experiment_book import DAY, NOON, NOON_MS, experiment

from millstream.domain.experiments import Signed
from millstream.experiments.outcomes import COHORT_MS, WINDOW_MS, cohort_of
from millstream.experiments.showing import listed, shown

BEGINS = str(cohort_of(NOON_MS))
SETTLED_MS = cohort_of(NOON_MS) + COHORT_MS + WINDOW_MS
COUNTED = {
    ("e:a", BEGINS, "shoppers"): 40,
    ("e:a", BEGINS, "clicked"): 7,
    ("e:a", BEGINS, "bought"): 3,
    ("e:a", BEGINS, "seen"): 90,
    ("e:a", BEGINS, "hit"): 11,
    ("e:b", BEGINS, "shoppers"): 41,
}


def test_counts_of_settled_shoppers_stand_beside_all_who_came() -> None:
    early = shown(experiment("e"), COUNTED, SETTLED_MS - 1, NOON)
    settled = shown(experiment("e"), COUNTED, SETTLED_MS, NOON)
    first, second = settled.report.variants
    assert [one.shoppers for one in early.report.variants] == [40, 41]
    assert [one.settled for one in early.report.variants] == [0, 0]
    assert (first.shoppers, first.settled, second.settled) == (40, 40, 41)
    assert (first.clickers, first.buyers) == (7, 3)
    assert (first.places_seen, first.places_clicked) == (90, 11)
    assert early.report.variants[0].clickers == 0
    assert settled.counted_to == NOON + timedelta(milliseconds=SETTLED_MS - NOON_MS)


def test_before_attribution_has_begun_nothing_is_counted_to_any_time() -> None:
    found = shown(experiment("e"), {}, 0, NOON)
    assert found.counted_to is None
    assert [one.shoppers for one in found.report.variants] == [0, 0]


def test_it_is_listed_as_running_until_it_is_over_or_ended() -> None:
    one = experiment("e")
    assert listed(one, NOON).running
    assert not listed(one, NOON + 2 * DAY).running
    assert listed(one, NOON).over_at == NOON + 2 * DAY
    ended = msgspec.structs.replace(one, ended=Signed(NOON + DAY, "key"))
    assert listed(ended, NOON + DAY).over_at == NOON + DAY
    assert not listed(ended, NOON + DAY).running
