"""Free text over HTTP: what was just put is found, what was taken out is not."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import httpx
import pytest
from tests.flow.gateway.test_lists import listed, put, served
from tests.flow.gateway.test_page import item
from tests.gateway import OTHER, Gate, caller, key_for

from millstream.domain.lists import RankedItem, Source
from millstream.gateway.api_keys import Scope

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOUND_S = 1.0

GOODS = [
    item("lan1", title="White metal lantern", price=5.0),
    item("lan2", title="Red metal lantern", price=9.0, in_stock=False),
    item("lan3", title="Secret lantern", hidden=True),
    item("mug", title="Red retrospot mug"),
]


async def found(shop: Gate, **asked: str | float) -> list[str]:
    answer = await shop.http.get("/v1/items:search", params=asked)
    assert answer.status_code == 200, answer.text
    return [one["item"]["item_id"] for one in answer.json()["items"]]


async def test_the_catalogue_is_searched_as_it_is(shop: Gate) -> None:
    assert await found(shop, q="lantern") == []
    assert (await shop.http.put("/v1/items", json={"items": GOODS})).json()["accepted"] == 4

    async def is_there() -> bool:
        return len(await found(shop, q="lantern")) == 2

    await shop.until(is_there, "both lanterns are found")
    assert (await found(shop, q="red metal lantrn"))[:2] == ["lan2", "lan1"]
    assert await found(shop, q="lantern", in_stock=True) == ["lan1"]
    assert await found(shop, q="lantern", max_price=5, user="ann") == ["lan1"]
    assert await found(shop, q="lantern", n=1) != []
    [told] = (await shop.http.get("/v1/items:search?q=retrospot")).json()["items"]
    assert told["item"] == {"item_id": "mug", "title": "Red retrospot mug"}
    assert told["words"] > 0.9

    async with caller(shop.door, key_for(shop.settings, OTHER, Scope.LISTS_READ)) as http:
        await shop.until(lambda: _empty(http), "the other tenant's key is in force")

    assert (await shop.http.delete("/v1/items/lan1")).status_code == 202

    async def is_gone() -> bool:
        return await found(shop, q="lantern") == ["lan2"]

    await shop.until(is_gone, "the lantern that was taken out is not found")


async def test_an_item_is_found_the_second_it_is_in_the_topic(shop: Gate) -> None:
    """From the answer that says it is durable there, one item after the other.

    The middle one of five, so that what else the machine was at for a moment decides nothing.
    (tests/unit/gateway/test_searching.py: once the record is taken from the topic, at once.)"""
    waits = [await _seconds_until_found(shop, f"harp{n}") for n in range(5)]
    assert median(waits) <= FOUND_S, waits


async def _seconds_until_found(shop: Gate, name: str) -> float:
    goods = [item(name, title=f"Golden {name}")]
    assert (await shop.http.put("/v1/items", json={"items": goods})).json()["accepted"] == 1
    began = time.monotonic()

    async def is_there() -> bool:
        return (await found(shop, q=name))[:1] == [name]

    await shop.until(is_there, f"{name} is found")
    return time.monotonic() - began


async def _empty(http: httpx.AsyncClient) -> bool:
    answer = await http.get("/v1/items:search?q=lantern")
    return answer.status_code == 200 and answer.json()["items"] == []


@pytest.mark.parametrize(
    "query",
    ["", "q=", f"q={'x' * 257}", "q=a&n=0", "q=a&n=101", "q=a&max_price=-1", "q=a&user=%00"],
)
async def test_what_is_not_well_formed_is_refused(shop: Gate, query: str) -> None:
    answer = await shop.http.get(f"/v1/items:search?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_questions_are_answered_from_catalogue_and_list(shop: Gate) -> None:
    goods = [
        item("kettle", title="Copper kettle", category="kettle", price=30.0),
        item("kettle2", title="Tin kettle", category="kettle", price=12.0),
    ]
    assert (await shop.http.put("/v1/items", json={"items": goods})).json()["accepted"] == 2

    async def is_there() -> bool:
        return len(await found(shop, q="kettle")) == 2

    await shop.until(is_there, "both kettles are found")
    told = await asked(shop, question="How much is the copper kettle?")
    assert (told["kind"], told["known"], told["text"]) == (
        "price",
        True,
        "Copper kettle costs 30.00.",
    )
    assert told["sources"] == [
        {
            "of": "catalogue",
            "item_id": "kettle",
            "fields": {"title": "Copper kettle", "price": 30.0},
        }
    ]
    cheaper = await asked(shop, question="Something similar but cheaper?", item="kettle")
    assert [one["item_id"] for one in cheaper["cheaper"]] == ["kettle2"]
    for question in ("Where is my order?", "What do buyers say of the copper kettle?"):
        unknown = await asked(shop, question=question, user="ann")
        assert (unknown["known"], unknown["text"]) == (False, "I do not know.")

    await put(shop, listed(shop, "quentin", 1, [RankedItem("kettle", 1.0, Source.NEW, "new")]))
    await served(shop, "quentin", 1)
    why = await asked(shop, question="Why do I see this?", user="quentin", item="kettle")
    fields = {"source": "new", "reason": "new in the shop"}
    assert why["sources"] == [{"of": "list", "item_id": "kettle", "fields": fields}]
    assert not (await asked(shop, question="Why do I see this?", item="kettle"))["known"]


async def asked(shop: Gate, **said: str) -> dict[str, Any]:
    answer = await shop.http.post("/v1/questions", json=said)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


@pytest.mark.parametrize(
    "said", [{}, {"question": ""}, {"question": "x" * 257}, {"question": "a", "user": "\x00"}]
)
async def test_a_question_that_is_none_is_refused(shop: Gate, said: dict[str, str]) -> None:
    assert (await shop.http.post("/v1/questions", json=said)).status_code == 400
