"""What a query finds, and that an index kept up to date finds what one built anew does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import tries
from tests.unit.search.shop import ids, item, shop

from millstream.domain.catalogue import CatalogueItem
from millstream.model.embeddings import FloatArray
from millstream.search.index import MOVED, Query, SearchIndex
from millstream.search.meaning import hashed


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("metal lantern", "lan1"),
        ("lantern hanging", "lan2"),
        ("Hanging hearts LANTERNS!", "lan2"),
        ("lantrn metal", "lan1"),
        ("redretrospot mug", "mug1"),
        ("bule polkdot", "mug2"),
        ("lunchbox", "box1"),
        ("BOX1", "box1"),
        ("lünch", "box1"),
    ],
)
def test_what_is_meant_comes_first(text: str, first: str) -> None:
    assert ids(shop().search(Query(text)))[0] == first


@pytest.mark.parametrize("text", ["", "  ", "?!", "zzyzx", "\x00", "\ud800", "a" * 5_000])
def test_a_shop_has_nothing_for_some_questions(text: str) -> None:
    assert shop().search(Query(text)) == []


def test_an_empty_shop_finds_nothing() -> None:
    index = SearchIndex(hashed)
    assert index.search(Query("lantern")) == []
    index.apply({"lan1": None})
    assert index.search(Query("lantern")) == []


def test_a_word_that_few_titles_have_counts_more() -> None:
    assert ids(shop().search(Query("red bag")))[0] == "bag1"


def test_hidden_items_are_not_found_and_filters_hold() -> None:
    index = shop(
        item("cheap", "Tin lantern", price=2.0),
        item("bound", "Tin lantern", price=5.0),
        item("dear", "Tin lantern", price=5.01),
        item("unknown", "Tin lantern"),
        item("sold out", "Tin lantern", price=1.0, in_stock=False),
        item("hidden", "Tin lantern", price=1.0, hidden=True),
    )
    every = {"cheap", "bound", "dear", "unknown", "sold out"}
    assert set(ids(index.search(Query("tin lantern")))) == every
    assert set(ids(index.search(Query("lantern", in_stock=True)))) == every - {"sold out"}
    assert set(ids(index.search(Query("lantern", max_price=5.0, in_stock=True)))) == {
        "cheap",
        "bound",
    }


def test_an_item_is_found_with_the_next_query_and_gone_with_the_next() -> None:
    index = shop()
    index.apply({"new": item("new", "Astronaut nightlight")})
    assert ids(index.search(Query("astronaut"))) == ["new"]
    index.apply({"new": item("new", "Dinosaur nightlight")})
    assert index.search(Query("astronaut")) == []
    assert ids(index.search(Query("dinosaur"))) == ["new"]
    index.apply({"new": None})
    assert index.search(Query("dinosaur")) == []


def test_price_and_stock_change_in_place() -> None:
    asked = []

    def counted(texts: Sequence[str]) -> FloatArray:
        asked.append(texts)
        return hashed(texts)

    index = SearchIndex(counted)
    index.apply({"lan1": item("lan1", price=9.0)})
    index.apply({"lan1": item("lan1", price=3.0, in_stock=False)})
    assert len(asked) == 1
    [hit] = index.search(Query("lantern", max_price=4.0))
    assert (hit.item.price, hit.item.in_stock) == (3.0, False)


def test_taste_moves_an_item_past_its_equals_but_not_past_a_better_match() -> None:
    index = shop(
        *(item(f"tin{n}", "Tin lantern") for n in range(5)), item("both", "Tin lantern red")
    )

    def taste(some: Sequence[str]) -> FloatArray:
        return np.array([name == "tin3" for name in some], dtype=np.float32)

    query = Query("red tin lantern")
    plain, moved = index.search(query), index.search(query, taste)
    assert ids(plain)[:2] == ["both", "tin0"]
    assert ids(moved)[:2] == ["both", "tin3"]
    assert len(index.search(Query("lantern", 2), taste)) == 2


def test_as_many_as_asked_for() -> None:
    index = shop(*(item(f"i{n}", f"Tin lantern {n}") for n in range(2 * MOVED)))
    assert len(index.search(Query("lantern", 1))) == 1
    assert len(index.search(Query("lantern", 2 * MOVED))) == 2 * MOVED


names = st.sampled_from([f"i{n}" for n in range(12)])
words = st.sampled_from(["lantern", "mug", "bag", "tin", "red", "heart", "jar"])
Said = tuple[list[str], bool, bool]
said = st.tuples(st.lists(words, min_size=1, max_size=3), st.booleans(), st.booleans())
batches = st.lists(st.dictionaries(names, st.none() | said), max_size=8)


@settings(max_examples=tries(60))
@given(batches, words)
def test_kept_up_to_date_is_as_built_anew(told: list[dict[str, Said | None]], text: str) -> None:
    index, now = SearchIndex(hashed), dict[str, CatalogueItem]()
    for batch in told:
        changes = {name: entry(name, terms) for name, terms in batch.items()}
        index.apply(changes)
        for name, one in changes.items():
            now.pop(name, None)
            if one is not None:
                now[name] = one
    anew = SearchIndex(hashed)
    anew.apply({**now})
    assert len(index) == len(now)
    assert index.segments <= 2 + len(now).bit_length()
    found, expected = (one.search(Query(text, n=100)) for one in (index, anew))
    assert {hit.item.item_id for hit in found} == {hit.item.item_id for hit in expected}
    assert all(hit.item == now[hit.item.item_id] for hit in found)


def entry(name: str, said: Said | None) -> CatalogueItem | None:
    if said is None:
        return None
    title, in_stock, hidden = said
    return item(name, " ".join(title), in_stock=in_stock, hidden=hidden)
