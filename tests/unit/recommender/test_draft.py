"""Whose list is due, and what stands in it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
from tests.builders import NOON_MS, arrival, event
from tests.unit.recommender.conftest import MemoryAffinities

from millstream.counting.fenced import Recorded
from millstream.domain.events import EventType
from millstream.domain.identity import ShopperName
from millstream.domain.lists import Source
from millstream.features.replayed import ReplayedShopper
from millstream.features.state import ShopperState
from millstream.model.serving import NO_MODEL
from millstream.ranking.rank import Ranked, rank
from millstream.recommender import draft
from millstream.recommender.draft import FEW, Drafter, Freshness, owed
from millstream.streaming.decode import Arrival

ALL = Freshness(0, lambda: NOON_MS)


def recorded(*arrivals: Arrival) -> Recorded:
    shoppers: dict[ShopperName, ReplayedShopper] = {}
    for one in arrivals:
        name = (one.event.tenant, one.event.shopper)
        shoppers.setdefault(name, ReplayedShopper()).apply(one.event)
    due = {(one.event.tenant, one.event.shopper): one for one in arrivals}
    states = {name: shopper.state() for name, shopper in shoppers.items()}
    return Recorded(arrivals, [], due, states, Counter())


@pytest.mark.parametrize(("publish_from", "due"), [(0, 2), (4, 2), (5, 1), (9, 0)])
def test_what_went_out_before_the_takeover_is_not_owed(publish_from: int, due: int) -> None:
    both = recorded(arrival(event("e1", "ann"), 4), arrival(event("e2", "bob"), 8))
    assert len(owed(both, {0: publish_from}, ALL)) == due


@pytest.mark.parametrize(("age_ms", "due"), [(0, True), (60_000, True), (60_001, False)])
def test_an_old_event_is_counted_without_a_list(age_ms: int, due: bool) -> None:
    one = recorded(arrival(event(), 0, log_ms=NOON_MS - age_ms))
    assert bool(owed(one, {0: 0}, Freshness(60_000, lambda: NOON_MS))) is due
    assert owed(one, {0: 0}, ALL)


@pytest.mark.parametrize(("shoppers", "in_the_loop"), [(FEW, True), (FEW + 1, False)])
async def test_lists_of_many_are_made_beside_the_loop(
    drafter: Drafter, monkeypatch: pytest.MonkeyPatch, shoppers: int, in_the_loop: bool
) -> None:
    threads = []

    def watched(*given: Any) -> Ranked:
        threads.append(threading.get_ident())
        return rank(*given)

    monkeypatch.setattr(draft, "rank", watched)
    batch = recorded(*(arrival(event(f"e{n}", f"u{n}"), n) for n in range(shoppers)))
    assert len(await drafter.draft(batch.due, batch)) == shoppers
    assert [thread == threading.get_ident() for thread in threads] == [in_the_loop]


async def test_each_due_shopper_gets_one_list_with_reasons(
    drafter: Drafter, affinities: MemoryAffinities
) -> None:
    batch = recorded(
        arrival(event("e1", "ann", "a"), 0),
        arrival(event("e2", "bob", "b"), 1),
        arrival(event("e3", "ann", "c"), 2),
    )
    drafts = {draft.name: draft for draft in await drafter.draft(batch.due, batch)}
    assert drafts.keys() == {("default", "ann"), ("default", "bob")}
    ann = drafts["default", "ann"]
    assert (ann.arrival.offset, ann.model_version) == (2, NO_MODEL)
    assert ann.items is not None
    sources = {item.item_id: item.source for item in ann.items}
    assert sources["c+"] is sources["a+"] is Source.COVISITED
    assert sources["best"] is Source.POPULAR
    assert "b+" not in sources
    assert all(item.reason for item in ann.items)
    assert affinities.reads == ["default"], "a batch reads the shop once"


async def test_only_those_who_are_due_are_drafted(drafter: Drafter) -> None:
    batch = recorded(arrival(event("e1", "ann"), 0), arrival(event("e2", "bob"), 1))
    name = ("default", "bob")
    (draft,) = await drafter.draft({name: batch.due[name]}, batch)
    assert draft.name == name


async def test_tenants_do_not_share_a_shop(drafter: Drafter, affinities: MemoryAffinities) -> None:
    batch = recorded(
        arrival(event("e1", "ann", "a"), 0), arrival(event("e2", "ann", "b", tenant="shop-2"), 1)
    )
    drafts = {draft.name[0]: draft for draft in await drafter.draft(batch.due, batch)}
    assert sorted(affinities.reads) == ["default", "shop-2"]
    for tenant, item in (("default", "a+"), ("shop-2", "b+")):
        found = {ranked.item_id for ranked in drafts[tenant].items or ()}
        assert found & {"a+", "b+"} == {item}


async def test_who_was_erased_gets_no_list(drafter: Drafter) -> None:
    batch = recorded(arrival(event("e1", "ann", kind=EventType.ERASE), 0))
    (draft,) = await drafter.draft(batch.due, batch)
    assert draft.items is None


async def test_a_shopper_without_state_gets_a_tombstone(drafter: Drafter) -> None:
    """After a takeover: counted and owed a list, but erased since."""
    one = arrival(event("e1", "ann"), 0)
    name = ("default", "ann")
    batch = Recorded([], [], {name: one}, {name: ShopperState(None)}, Counter())
    (draft,) = await drafter.draft(batch.due, batch)
    assert (draft.name, draft.items) == (name, None)


async def test_nobody_is_due(drafter: Drafter) -> None:
    assert await drafter.draft({}, recorded()) == []
