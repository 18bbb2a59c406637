"""Questions: what they are after, which item they mean, and that no field is made up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.effort import tries
from tests.unit.search.shop import item

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.reviews import ReviewCounts
from millstream.search.index import Query, SearchIndex
from millstream.search.meaning import hashed
from millstream.search.questions.answering import MOST, UNKNOWN, Answered, Evidence, Listed, answer
from millstream.search.questions.asked import Asked, Kind, asked
from millstream.search.questions.evaluate import (
    HELD_OUT,
    TUNED,
    GoldenQuestion,
    evaluate_questions,
    golden,
    is_right,
)


class Shop:
    """Implements answering.Facts."""

    def __init__(
        self,
        *items: CatalogueItem,
        listed: dict[str, Listed] | None = None,
        said: dict[str, ReviewCounts] | None = None,
    ) -> None:
        self._said = said or {}
        self._items = {one.item_id: one for one in items}
        self._listed = listed or {}
        self._index = SearchIndex(hashed)
        self._index.apply({**self._items})

    async def find(self, query: Query) -> Sequence[CatalogueItem]:
        return [hit.item for hit in self._index.search(query)]

    def item(self, item_id: str) -> CatalogueItem | None:
        return self._items.get(item_id)

    def reviews(self, item_id: str) -> ReviewCounts | None:
        return self._said.get(item_id)

    async def listed(self) -> dict[str, Listed]:
        return self._listed


LANTERN = item("lan1", "Tin lantern", category="lantern", price=9.0)
CHEAP = item("lan2", "Red lantern", category="lantern", price=5.0, in_stock=False)
CHEAPEST = item("lan3", "Tea lantern", category="lantern", price=4.0)
MUG = item("mug", "Tin mug", category="mug", price=2.5)
FRAME = item("frame", "Oak frame")
HIDDEN = item("fee", "Bank fee", price=9.0, hidden=True)
SHOP = Shop(LANTERN, CHEAP, CHEAPEST, MUG, FRAME, HIDDEN, listed={"mug": Listed("new", "new here")})


@pytest.mark.parametrize(
    ("text", "kind", "named"),
    [
        ("Is the tin lantern in stock?", Kind.STOCK, ("tin", "lantern")),
        ("What's the price of the MUG, please?", Kind.PRICE, ("mug",)),
        ("anything like the mug but less expensive", Kind.CHEAPER, ("mug",)),
        ("Why do I see this?", Kind.WHY, ()),
        ("any reviews of the mug?", Kind.REVIEWS, ("mug",)),
        ("Where is my order", Kind.UNKNOWN, ("order",)),
        ("hello", Kind.UNKNOWN, ()),
        ("", Kind.UNKNOWN, ()),
    ],
)
def test_what_is_asked(text: str, kind: Kind, named: tuple[str, ...]) -> None:
    found = asked(text)
    assert found.kind is kind
    assert kind is Kind.UNKNOWN or found == Asked(kind, named)


async def test_stock_and_price_are_the_fields_as_they_stand() -> None:
    told = await answer("is the red lantern in stock?", SHOP)
    assert told.text == "Red lantern is out of stock."
    [source] = told.sources
    assert (source.of, source.item_id) == ("catalogue", "lan2")
    assert source.fields == {"title": "Red lantern", "in_stock": False}
    assert (await answer("how much is a tin lantrn?", SHOP)).text == "Tin lantern costs 9.00."
    assert (await answer("how much is it?", SHOP, "mug")).text == "Tin mug costs 2.50."


async def test_a_question_may_be_about_a_few() -> None:
    told = await answer("do you have lanterns?", SHOP)
    assert {one.item_id for one in told.items} == {"lan1", "lan2", "lan3"}
    assert len(told.sources) == 3
    many = Shop(*(item(f"i{n}", f"Tin lantern {n}") for n in range(MOST + 1)))
    assert not (await answer("do you have lanterns?", many)).known


async def test_cheaper_is_of_its_kind_and_can_be_sold() -> None:
    told = await answer("is there a cheaper one?", SHOP, "lan1")
    assert [one.item_id for one in told.cheaper] == ["lan3"]
    assert told.text == "Tin lantern costs 9.00. Cheaper and in stock: Tea lantern (4.00)."
    none = await answer("a cheaper tin mug?", SHOP)
    assert (none.known, none.cheaper) == (True, ())
    assert none.text == "Tin mug costs 2.50. Nothing like it is cheaper and in stock."


async def test_why_is_the_reason_in_the_shoppers_list() -> None:
    told = await answer("why do I see the mug?", SHOP)
    assert told.text == "Tin mug: new here."
    assert told.sources[0].fields == {"source": "new", "reason": "new here"}
    assert not (await answer("why do I see the tin lantern?", SHOP)).known


@pytest.mark.parametrize(
    ("text", "looked_at"),
    [
        ("how much is the oak frame?", None),
        ("a cheaper oak frame?", None),
        ("how much is the bank fee?", None),
        ("is it in stock?", None),
        ("is it in stock?", "gone"),
        ("is it in stock?", "fee"),
        ("is the tin lantern dishwasher safe and in stock", None),
        ("do you have a bicycle?", None),
        ("what do buyers say of the mug?", None),
        ("what do buyers say of it?", "mug"),
        ("where is my tin lantern?", None),
        ("?", "mug"),
    ],
)
async def test_what_no_field_says_is_not_known(text: str, looked_at: str | None) -> None:
    told = await answer(text, SHOP, looked_at)
    assert told == Answered(told.kind, False, UNKNOWN)


@settings(max_examples=tries(60))
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["is", "it", "tin", "lantern", "mug", "cheaper", "why"])).map(
        " ".join
    )
)
async def test_whatever_is_asked_what_is_told_has_its_sources(text: str) -> None:
    told = await answer(text, SHOP, "lan1")
    assert told.known == bool(told.sources)
    assert {one.item_id for one in told.sources} == {
        one.item_id for one in (*told.items, *told.cheaper)
    }


def test_the_golden_set_is_200_questions_in_two_parts() -> None:
    _, questions = golden(hashed)
    assert len({(one.text, one.looked_at) for one in questions}) == 200
    parts = [one.part for one in questions]
    assert min(parts.count(TUNED), parts.count(HELD_OUT)) > 90


async def test_the_golden_shop_has_reviews_of_some_items() -> None:
    shop, questions = golden(hashed)
    asked_about = [one.items for one in questions if one.kind is Kind.REVIEWS]
    assert len(asked_about) == 7
    for (item_id,) in asked_about:
        assert shop.reviews(item_id) is not None
    told = await answer("Is the leather satchel any good?", shop)
    assert told.text == "0 of 3 reviewers like Vintage leather satchel."
    [source] = told.sources
    assert (source.of, source.item_id) == ("reviews", "bag2")
    assert source.fields == {"title": "Vintage leather satchel", "good": 0, "bad": 3}
    assert not (await answer("any reviews of the garden bell?", shop)).known


def test_the_golden_set_is_answered() -> None:
    found = evaluate_questions(hashed)
    for part in (found, found["tuned"]):
        assert part["accuracy"] >= 0.95
        assert part["wrong"] == 0
        assert part["refused_rightly"][0] == part["refused_rightly"][1]


@pytest.mark.parametrize(
    ("kind", "items", "text", "right"),
    [
        (Kind.PRICE, ("mug",), "price of the tin mug", True),
        (Kind.PRICE, ("lan1",), "price of the tin mug", False),
        (Kind.STOCK, ("mug",), "price of the tin mug", False),
        (Kind.UNKNOWN, (), "price of the tin mug", False),
        (Kind.PRICE, ("mug",), "price of the oak frame", False),
        (Kind.UNKNOWN, (), "price of the oak frame", True),
        (Kind.CHEAPER, ("lan1", "lan3"), "cheaper tin lantern", True),
        (Kind.CHEAPER, ("lan1",), "cheaper tin lantern", False),
    ],
)
async def test_an_answer_is_right_by_kind_and_items(
    kind: Kind, items: tuple[str, ...], text: str, right: bool
) -> None:
    question, told = GoldenQuestion(kind, items, text), await answer(text, SHOP)
    assert is_right(question, told) == right
    if told.known:
        assert not is_right(question, replace(told, sources=told.sources[1:])), "a field is missing"


async def test_what_buyers_say_is_what_was_counted() -> None:
    counts = ReviewCounts(tenant="shop", item_id="mug", good=93, bad=7)
    shop = Shop(LANTERN, MUG, said={"mug": counts})
    for question in ("What do buyers say about the tin mug?", "is it any good?"):
        told = await answer(question, shop, "mug")
        assert (told.kind, told.known) == (Kind.REVIEWS, True)
        assert told.text == "93 of 100 reviewers like Tin mug."
        assert told.sources == (
            Evidence("reviews", "mug", {"title": "Tin mug", "good": 93, "bad": 7}),
        )
    assert not (await answer("any reviews of the tin lantern?", shop)).known
