from __future__ import annotations

import numpy as np
import pytest
from tests.builders import NOON_MS, event
from tests.unit.trainer.stream.made_shop import DAY_MS, made_events

from millstream.ranking.items import ItemTable
from millstream.trainer.stream.baselines import (
    Baseline,
    Covisitation,
    Popularity,
    RecentItems,
    asked_ranks,
)
from millstream.trainer.stream.factors import FactorRule, Factors
from millstream.trainer.stream.rows import Row, rows_of
from millstream.trainer.stream.scores import NOWHERE

_GAP_MS = 1_800_000


def test_an_item_is_popular_only_after_it_was_asked_for() -> None:
    rows = list(rows_of([event(str(n), f"s{n}", item) for n, item in enumerate("aabab")]))
    table = ItemTable()
    found = asked_ranks(Popularity(table, 2, None), rows, table, 0)
    assert found.tolist() == [NOWHERE, 1, NOWHERE, 1, 2]


def test_fading_lets_the_newest_overtake_the_most() -> None:
    events = [event(f"a{n}", f"s{n}", "old") for n in range(8)]
    events += [event(f"b{n}", f"t{n}", "young", at_ms=NOON_MS + 7 * DAY_MS) for n in range(2)]
    rows = list(rows_of(events))
    for half_life, first in ((None, "old"), (1.0, "young")):
        table = ItemTable()
        baseline = Popularity(table, 2, half_life)
        for row in rows:
            baseline.learn(row)
        assert table.ids[int(np.argmax(baseline.scores(rows[0])))] == first


def test_together_in_one_visit_counts_and_apart_does_not() -> None:
    events = [
        event("1", "ann", "a"),
        event("2", "ann", "b", at_ms=NOON_MS + 1_000),
        event("3", "ann", "c", at_ms=NOON_MS + 2 * _GAP_MS),
        event("4", "bob", "a", at_ms=NOON_MS + 3 * _GAP_MS),
        event("5", "bob", "b", at_ms=NOON_MS + 3 * _GAP_MS + 1_000),
    ]
    rows = list(rows_of(events))
    table = ItemTable()
    baseline = Covisitation(table, 3, _GAP_MS)
    for row in rows[:4]:
        baseline.learn(row)
    scores = dict(zip(table.ids, baseline.scores(rows[4]), strict=False))
    assert scores["b"] == pytest.approx(1 / np.sqrt(2))
    assert scores["c"] == 0.0


def test_recent_items_are_the_shoppers_own_newest_first() -> None:
    events = [event(f"{n}", "ann", item) for n, item in enumerate("abca")]
    rows = list(rows_of([*events, event("5", "bob", "a")]))
    table = ItemTable()
    found = asked_ranks(RecentItems(table, 3), rows, table, 0)
    assert found.tolist() == [NOWHERE, NOWHERE, NOWHERE, 3, NOWHERE]


def test_factorisation_finds_what_goes_round_in_circles() -> None:
    rows = list(rows_of(made_events(days=1, visits_a_day=400, seed=9)))
    table = ItemTable()
    found = asked_ranks(Factors(table, 30, FactorRule(rate=0.1), 1), rows, table, 1)
    late = found[len(found) // 2 :]
    assert np.median(late) <= 12  # of 30 items, where chance would put them at 15


@pytest.mark.parametrize("name", ["popular", "faded", "together", "factors"])
def test_the_future_changes_no_earlier_rank(name: str) -> None:
    rows = list(rows_of(made_events(days=4, visits_a_day=10, seed=10)))
    other = list(rows_of(made_events(days=4, visits_a_day=10, seed=11)))
    cut = len(rows) // 2
    one, two = (_ranks(name, [*rows[:cut], *later[cut:]]) for later in (rows, other))
    assert one[:cut] == two[:cut]
    assert one[cut:] != two[cut:]


def _ranks(name: str, rows: list[Row]) -> list[int]:
    table = ItemTable()
    made: dict[str, Baseline] = {
        "popular": Popularity(table, 200, None),
        "faded": Popularity(table, 200, 1.0),
        "together": Covisitation(table, 200, _GAP_MS),
        "factors": Factors(table, 200, FactorRule(), 1),
    }
    return [int(rank) for rank in asked_ranks(made[name], rows, table, 0)]
