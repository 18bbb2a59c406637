"""Lists from before the rules of now: made anew once, and only where they have to be."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.unit.ranking.worlds import shopper as somebody

from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import NamedRule, RuleKind, RulesInForce, RuleTerms
from millstream.features.state import ShopperState
from millstream.gateway import remade_lists
from millstream.gateway.live_ranking import Known, LiveRanking, Made
from millstream.gateway.remade_lists import FOLLOWED_MS, MOST_AT_ONCE, RemadeLists
from millstream.ranking.settings import RankingSettings

ANN = ("shop", "ann")
MOVED_MS = 1_000_000
OLD = (MOVED_MS - 1, 0, 7)
BOOST = RuleTerms(kind=RuleKind.BOOST, item_id="a", factor=2.0)


class Live(LiveRanking):
    """Makes lists that say how many were made before."""

    def __init__(self) -> None:
        self.made = 0
        self.is_known = True

    def usual(self, tenant: str) -> RankingSettings:  # noqa: ARG002
        return RankingSettings()

    async def known(self, tenant: str, shopper: str) -> Known:  # noqa: ARG002
        return Known(somebody(name=shopper), ShopperState(b"seen" if self.is_known else b""))

    async def rank(self, *_: object) -> Made:
        self.made += 1
        item = RankedItem(f"i{self.made}", 1.0, Source.NEW, "")
        return Made((item,), "embedding-v1", "default", Counter())


class Lists(RemadeLists):
    """Under rules that a test changes."""

    def __init__(self) -> None:
        self.live = Live()
        self.rules = RulesInForce(boosts=(NamedRule("up", BOOST),))
        super().__init__(self.live, lambda _: self.rules, lambda _: MOVED_MS)

    async def item(self, freshness: tuple[int, int, int] = OLD) -> str | None:
        made = await self.of(ANN, freshness)
        return None if made is None else made.items[0].item_id


async def test_one_from_after_the_last_change_serves_as_it_is() -> None:
    lists = Lists()
    assert await lists.item((MOVED_MS + FOLLOWED_MS + 1, 0, 0)) is None
    assert await lists.item((MOVED_MS + FOLLOWED_MS, 0, 0)) == "i1", "a worker may have been behind"


async def test_it_is_made_once_until_the_next_list_or_the_next_change() -> None:
    lists = Lists()
    assert [await lists.item() for _ in range(3)] == ["i1"] * 3
    assert await lists.item((MOVED_MS, 0, 8)) == "i2"
    lists.rules = RulesInForce(boosts=lists.rules.boosts)
    assert await lists.item((MOVED_MS, 0, 8)) == "i3"
    lists.forget([ANN])
    assert await lists.item((MOVED_MS, 0, 8)) == "i4"


async def test_of_who_is_not_known_any_more_the_stored_one_serves() -> None:
    lists = Lists()
    lists.live.is_known = False
    assert await lists.item() is None


async def test_where_many_are_being_made_or_it_takes_long_the_stored_one_serves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lists = Lists()
    lists._at_work = MOST_AT_ONCE
    assert await lists.item() is None
    lists._at_work = 0
    monkeypatch.setattr(remade_lists, "WITHIN_S", -1.0)
    assert await lists.item() in {None, "i1"}
    assert lists._at_work == 0
