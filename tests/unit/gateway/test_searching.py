"""A search knows the catalogue as it is by now, each tenant's own, and a little of taste."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest
from tests.builders import NOON_MS

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.identity import record_key
from millstream.domain.rules import NO_RULES, NamedRule, RuleKind, RulesInForce, RuleTerms
from millstream.gateway import searching as module
from millstream.gateway.callers import Caller
from millstream.gateway.searching import Searching, taste_for
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.search.index import Query, SearchIndex
from millstream.search.meaning import hashed
from millstream.stores.catalogue import Catalogue

ANN = Caller("key", "shop", frozenset(), None)
OTHER = Caller("other key", "other", frozenset(), None)


class Shop:
    """`logits` by item, for each shopper but nobody; `away`: what Redis answers."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.logits: dict[str, float] = {}
        self.rules = NO_RULES
        self.away: Exception | None = None
        self.searching = Searching(
            self.catalogue,
            cast("Any", self),
            cast("Any", self),
            lambda _tenant: self.rules,
            lambda: {"shop"},
        )

    def put(self, item_id: str, title: str, tenant: str = "shop", **more: Any) -> None:
        item = CatalogueItem(
            item_id=item_id, tenant=tenant, title=title, added_at=as_datetime(NOON_MS), **more
        )
        self.catalogue.take(record_key(tenant, item_id), msgspec.json.encode(item))

    def serving(self, _tenant: str) -> Any:
        return SimpleNamespace(scorer=self if self.logits else None)

    @property
    def items(self) -> Vocabulary:
        return Vocabulary(list(self.logits))

    async def known(self, _tenant: str, _shopper: str) -> Any:
        if self.away is not None:
            raise self.away
        return SimpleNamespace(shopper=SimpleNamespace(recent=()))

    def user_vectors(self, shoppers: Any) -> Any:
        return np.ones((1, 1), np.float32), np.array([shoppers[0][0] != "nobody"])

    def scores(self, _vectors: Any, rows: Any) -> Any:
        return np.array([list(self.logits.values())], np.float32)[:, rows]

    async def find(self, text: str, caller: Caller = ANN, user: str | None = None) -> list[str]:
        found = await self.searching.find(caller, Query(text), user)
        return [one.item.item_id for one in found.items]


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr(module, "meaning", lambda: hashed)
    made = Shop()
    yield made
    made.searching.close()


async def test_what_the_catalogue_has_by_now_is_found(shop: Shop) -> None:
    shop.put("lan", "Tin lantern")
    assert await shop.find("lantern") == ["lan"]
    shop.put("m", "Tin mug", price=2.0)
    assert await shop.find("mug") == ["m"]
    shop.put("m", "Tin jar")
    assert (await shop.find("mug"), await shop.find("jar")) == ([], ["m"])
    shop.catalogue.take(record_key("shop", "m"), None)
    assert await shop.find("jar") == []


async def test_each_tenant_has_its_own(shop: Shop) -> None:
    shop.put("lan", "Tin lantern")
    shop.put("lan2", "Tin lantern", tenant="other")
    assert await shop.find("lantern") == ["lan"]
    assert await shop.find("lantern", OTHER) == ["lan2"]


async def test_what_a_rule_hides_is_not_found(shop: Shop) -> None:
    shop.put("lan", "Tin lantern")
    shop.put("lan2", "Red lantern", category="lamp")
    for terms in (
        RuleTerms(kind=RuleKind.HIDE, item_id="lan2"),
        RuleTerms(kind=RuleKind.HIDE, category="lamp"),
    ):
        shop.rules = RulesInForce(hides=(NamedRule("r", terms),))
        assert await shop.find("red lantern") == ["lan"]


async def test_what_is_alike_comes_by_taste_where_there_is_one(shop: Shop) -> None:
    for name in ("a", "b", "c"):
        shop.put(name, "Tin lantern")
    assert await shop.find("lantern", user="ann") == ["a", "b", "c"]
    shop.logits = {"b": 1.0, "c": 3.0}
    assert await shop.find("lantern", user="ann") == ["c", "a", "b"]
    assert await shop.find("lantern") == ["a", "b", "c"]
    assert await shop.find("lantern", user="nobody") == ["a", "b", "c"]
    assert (await shop.searching.find(ANN, Query("lantern"), "ann")).personal


async def test_without_redis_the_order_is_nobodys(shop: Shop) -> None:
    shop.put("a", "Tin lantern")
    shop.logits, shop.away = {"a": 1.0}, ConnectionError()
    found = await shop.searching.find(ANN, Query("lantern"), "ann")
    assert ([one.item.item_id for one in found.items], found.personal) == (["a"], False)


async def test_catalogues_are_taken_up_before_anybody_asks(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("a", "Tin lantern")
    taken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def told() -> Any:
        loop.call_soon_threadsafe(taken.set)
        return hashed

    monkeypatch.setattr(module, "meaning", told)
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    following = asyncio.create_task(shop.searching.follow())
    async with asyncio.timeout(20):
        await taken.wait()
    following.cancel()
    shop.put("b", "Tin mug")
    assert sorted(await shop.find("tin")) == ["a", "b"]


async def test_a_query_that_is_given_up_loses_no_change(shop: Shop) -> None:
    shop.put("a", "Tin lantern")
    assert await shop.find("lantern") == ["a"]
    busy = threading.Event()
    shop.searching._thread.submit(busy.wait)
    shop.put("b", "Tin jar")
    asking = asyncio.create_task(shop.find("jar"))
    await asyncio.sleep(0)
    asking.cancel()
    busy.set()
    assert await shop.find("jar") == ["b"]


async def test_what_failed_is_begun_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.put("a", "Tin lantern")
    assert await shop.find("lantern") == ["a"]

    def failing(_self: Any, _changes: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(SearchIndex, "apply", failing)
        shop.put("b", "Tin jar")
        with pytest.raises(MemoryError):
            await shop.find("jar")
    assert await shop.find("jar") == ["b"]
    shop.put("b", "Tin mug")
    assert await shop.find("jar") == []


def test_tastes_go_from_0_to_1() -> None:
    known = Shop()
    known.logits = {"a": -2.0, "b": 0.0, "c": 2.0}
    vectors = np.ones((1, 1), np.float32)
    scorer = cast("Scorer", known)
    assert taste_for(scorer, vectors, ["c", "new", "b", "a"]).tolist() == [1.0, 0.0, 0.5, 0.0]
    assert taste_for(scorer, vectors, ["b"]).tolist() == [0.0]
    assert taste_for(scorer, vectors, []).tolist() == []
    known.searching.close()
