"""Queries are made as their rules say, and judged so."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest
from tests.unit.search.shop import TITLES, item, shop

from millstream.domain.errors import OperatorError
from millstream.search.quality.evaluate import chosen, evaluate_search, judged
from millstream.search.quality.known_items import (
    KnownItem,
    dropped,
    halves,
    in_other_words,
    known_items,
    misspelt,
    reordered,
    same_title,
    short,
)

WORDS = ["hanging", "heart", "metal", "lantern", "with", "red", "glass"]


@pytest.mark.parametrize(("length", "left"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 5)])
def test_a_third_is_dropped_and_the_order_kept(length: int, left: int) -> None:
    said = dropped(WORDS[:length], Random(1))
    assert len(said) == left
    assert all(WORDS.index(a) < WORDS.index(b) for a, b in pairwise(said))


def test_reordered_has_the_same_words() -> None:
    assert sorted(reordered(WORDS, Random(1))) == sorted(WORDS)


@pytest.mark.parametrize("seed", range(20))
def test_a_third_is_misspelt_by_one_letter_each(seed: int) -> None:
    said = misspelt(WORDS, Random(seed))
    changed = [(a, b) for a, b in zip(WORDS, said, strict=True) if a != b]
    assert len(changed) <= 2
    assert all(len(a) >= 4 and abs(len(a) - len(b)) <= 1 for a, b in changed)
    assert misspelt(["red", "t"], Random(seed)) == ["red", "t"]


def test_short_is_two_words() -> None:
    assert len(short(WORDS, Random(1))) == 2


def test_other_words_stand_for_plurals_too() -> None:
    assert in_other_words(["red", "mugs"], Random(1)) == ["red", "cup"]


def test_queries_are_those_of_their_seed_and_item_alone() -> None:
    items = [item(name) for name in TITLES]
    every = known_items(items, 7)
    assert every == known_items(items, 7) != known_items(items, 8)
    assert known_items(items[3:], 7) == [
        query for query in every if query.meant in {same_title(i.title) for i in items[3:]}
    ]


def test_items_of_the_same_title_fall_into_the_same_half() -> None:
    items = [item(f"i{n}", f"Lantern {n // 2}") for n in range(80)]
    parts = halves(items, 7)
    assert sorted(map(len, parts))[0] > 10
    first, second = ({one.title for one in part} for part in parts)
    assert not first & second


def test_judged_by_hand() -> None:
    index = shop(*(item(f"tin{n}", "Tin lantern") for n in range(12)), item("mug1"))
    queries = [
        KnownItem("a", "tin lantern", "tin lantern"),
        KnownItem("a", "zzyzx", "red retrospot mug"),
        KnownItem("b", "mug", "red retrospot mug"),
    ]
    found, millis, cpu_millis = judged(index, queries)
    assert found == {"a": 0.5, "b": 1.0}
    assert len(millis) == len(cpu_millis) == 3
    assert min(millis) > 0


def test_weights_are_those_that_find_most() -> None:
    """One misspelt beyond a letter, among ten that share its other word."""
    index = shop(
        *(item(f"i{n}", f"Tin {word}") for n, word in enumerate("abcdefghijkl")),
        item("lan", "Tin lantern"),
    )
    assert chosen(index, [KnownItem("a", "tin lntrn", "tin lantern")]).trigrams > 0


def test_a_shop_that_is_too_small_is_refused() -> None:
    with pytest.raises(OperatorError, match="at least"):
        evaluate_search([item("mug1")], 7, lambda _: None)
