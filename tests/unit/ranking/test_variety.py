"""Lists of unlike items."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, FixedTaste, entry, shopper

from millstream.domain.catalogue import CatalogueItem
from millstream.ranking.dissection import dissect
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings

IDS = ["a", "a2", "a3", "b", "c"]
TASTE = FixedTaste(
    IDS,
    [5.0, 4.9, 4.8, 4.0, 3.9],
    directions=[[1, 0, 0], [1, 0.1, 0], [1, 0, 0.1], [0, 1, 0], [0, 0, 1]],
)
ANN = shopper("seen")


def listed(
    variety: float,
    taste: FixedTaste | None = TASTE,
    shop: FixedShop | None = None,
    length: int = 3,
    per_category: int = 20,
) -> list[str]:
    shop = FixedShop() if shop is None else shop
    rule = RankingSettings(
        list_length=length, looked_at=0, variety=variety, per_category=per_category
    )
    (line,) = rank([ANN], shop, taste, rule, NOW_MS).lists
    assert dissect(ANN, shop, taste, rule, NOW_MS).items == line
    return [item.item_id for item in line]


def test_without_variety_the_best_stand_first() -> None:
    assert listed(0.0) == ["a", "a2", "a3"]


def test_with_variety_the_best_is_followed_by_what_is_unlike_it() -> None:
    assert listed(0.9) == ["a", "b", "c"]


def test_a_little_variety_leaves_what_is_much_better() -> None:
    assert listed(0.01) == ["a", "a2", "a3"]


def test_a_list_that_takes_all_there_is_has_each_item_once() -> None:
    assert sorted(listed(0.5, length=20)) == IDS


def test_items_without_a_vector_are_alike_within_their_category() -> None:
    kinds = {"p": "cups", "q": "cups", "r": "plates", "s": "", "t": ""}
    catalogue: dict[str, CatalogueItem] = {
        item: entry(item, category=kind) if kind else entry(item) for item, kind in kinds.items()
    }
    shop = FixedShop(best=[(i, -n / 100) for n, i in enumerate(kinds)], catalogue=catalogue)
    assert listed(0.9, taste=None, shop=shop) == ["p", "r", "s"]
    assert listed(0.9, taste=FixedTaste([], []), shop=shop) == ["p", "r", "s"]


def test_what_policy_takes_out_of_a_list_stays_out() -> None:
    shop = FixedShop(catalogue={"b": entry("b", hidden=True)})
    assert listed(0.9, shop=shop) == ["a", "c", "a2"]


def test_a_bound_on_a_category_holds() -> None:
    catalogue = {item: entry(item, category="cups" if item != "b" else "pots") for item in IDS}
    assert listed(0.5, shop=FixedShop(catalogue=catalogue), per_category=1) == ["a", "b"]


@pytest.mark.parametrize("variety", [0.1, 0.5, 1.0])
def test_no_choice_of_one_place_is_better(variety: float) -> None:
    """The greedy choice against the definition, place by place."""
    rng = np.random.default_rng(3)
    ids, logits = [f"i{n}" for n in range(8)], np.sort(rng.normal(size=8))[::-1]
    directions = rng.normal(size=(8, 3))
    taste = FixedTaste(ids, logits.tolist(), directions=directions.tolist())
    found = [ids.index(item) for item in listed(variety, taste=taste, length=4)]
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    strength = (1 + np.exp(-logits[0])) / (1 + np.exp(-logits))
    worth = (strength - strength.min()) / (strength.max() - strength.min())

    def value(item: int, before: list[int]) -> float:
        nearest = max((max(float(unit[item] @ unit[other]), 0.0) for other in before), default=0.0)
        return float((1 - variety) * worth[item] - variety * nearest)

    for place, item in enumerate(found):
        others = [value(n, found[:place]) for n in range(8) if n not in found[:place]]
        assert value(item, found[:place]) == pytest.approx(max(others), abs=1e-5)
    assert all(a != b for a, b in combinations(found, 2))
