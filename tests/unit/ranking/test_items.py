"""A table that served other batches changes no list; what the shop says anew is taken over."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, FixedTaste, entry, shopper

from millstream.ranking import items as module
from millstream.ranking.items import NOTHING, ItemTable
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

IDS = [f"i{n:02}" for n in range(60)]


def shop_of(rng: random.Random) -> FixedShop:
    """Few values, so that many scores are equal."""
    return FixedShop(
        near={
            item: [(other, rng.choice([0.1, 0.2])) for other in rng.sample(IDS, 8)] for item in IDS
        },
        best=[(item, 9.0 - place // 3) for place, item in enumerate(rng.sample(IDS, 20))],
        fresh=rng.sample(IDS, 5),
        catalogue={
            item: entry(
                item,
                title=f"{item} {rng.random()}",
                category=rng.choice(["", "cups", "tea"]),
                in_stock=rng.random() < 0.8,
                hidden=rng.random() < 0.2,
                bought_once=rng.random() < 0.3,
            )
            for item in rng.sample(IDS, 50)
        },
    )


def crowd_of(rng: random.Random) -> list[Shopper]:
    def one(place: int) -> Shopper:
        items = rng.sample(IDS, rng.randrange(10))
        return shopper(*items, bought=items[::3], name=f"u{place}")

    return [one(place) for place in range(rng.randrange(12))]


@pytest.mark.parametrize("seed", range(10))
def test_a_used_table_changes_no_list(seed: int) -> None:
    rng = random.Random(seed)
    table, settings = ItemTable(), RankingSettings(per_category=3)
    for _ in range(5):
        shop, crowd = shop_of(rng), crowd_of(rng)  # all of the shop's answers change
        model = FixedTaste(rng.sample(IDS, 30), [rng.choice([0.0, 1.0, 2.0]) for _ in range(30)])
        used = rank(crowd, shop, model, settings, NOW_MS, table)
        assert used == rank(crowd, shop, model, settings, NOW_MS)


def test_a_list_does_not_depend_on_who_is_ranked_beside() -> None:
    rng = random.Random(3)
    shop, crowd = shop_of(rng), crowd_of(rng)
    together = rank(crowd, shop, None, RankingSettings(), NOW_MS).lists
    assert together == [
        rank([one], shop, None, RankingSettings(), NOW_MS).lists[0] for one in crowd
    ]


def test_codes_of_rows_are_made_as_they_are_asked_for() -> None:
    table = ItemTable()
    rows = FixedTaste(IDS, [0.0] * 60).items
    assert table.of_rows(rows, np.array([[5, 7]], np.int32)).tolist() == [[0, 1]]
    assert table.of_rows(rows, np.array([[7, 50]], np.int32)).tolist() == [[1, 2]]
    assert table.ids == ["i05", "i07", "i50"]
    other = FixedTaste(IDS[::-1], [0.0] * 60).items
    assert table.of_rows(other, np.array([[9]], np.int32)).tolist() == [[2]]
    assert table.of_rows(rows, np.array([[5]], np.int32)).tolist() == [[0]], "two models in turn"


def test_facts_follow_the_catalogue() -> None:
    table = ItemTable()
    items = table.of(["a", "b"])
    shop = FixedShop(catalogue={"a": entry("a", hidden=True, category="cups")})
    facts = table.facts(items, shop)
    assert (facts.hidden[items].tolist(), facts.category[items].tolist()) == (
        [True, False],
        [0, NOTHING],
    )
    later = table.facts(items, FixedShop(catalogue={"b": entry("b", in_stock=False)}))
    assert later.hidden[items].tolist() == [False, False]
    assert later.out_of_stock[items].tolist() == [False, True]
    assert not any(column[NOTHING] for column in (later.hidden, later.out_of_stock))
    last = table.facts(items, FixedShop(days={"b": 2.5}))
    assert last.days_of_stock[items].tolist() == [np.inf, 2.5]
    assert last.days_of_stock[NOTHING] == np.inf


def test_neighbours_are_held_until_the_shop_answers_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NEIGHBOURHOODS", 2)
    table = ItemTable()
    shop = FixedShop(near={"a": [("b", 1.0)], "c": [("d", 1.0)], "e": []})
    code, other, third = table.of(["a", "c", "e"]).tolist()
    first = table.near(code, shop)
    assert table.near(code, shop) is first
    assert [table.ids[item] for item in first.items] == ["b"]
    anew = table.near(code, FixedShop(near={"a": [("z", 1.0)]}))
    assert [table.ids[item] for item in anew.items] == ["z"]
    table.near(other, shop)
    table.near(third, shop)
    assert len(table._near) <= 2


def test_a_table_that_grew_too_long_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ITEMS", 2)
    table = ItemTable()
    table.of("ab")
    assert not table.is_full
    table.of("c")
    assert table.is_full
