"""Which shoppers are in an experiment, and what of them counts."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field

import msgspec
from tests.unit.attribution.test_join import ANN, NOON_MS, did, made

from millstream.attribution.enrolment import Enrolments
from millstream.attribution.join import HELD_LISTS, Joiner
from millstream.domain.events import EventType
from millstream.domain.identity import ShopperName
from millstream.domain.lists import RecommendationList
from millstream.experiments.outcomes import NAMES, WINDOW_MS, Outcomes, by_variant, cohort_of

FAR_MS = NOON_MS + 100 * WINDOW_MS


def listed(name: str, variant: str, at_ms: int, *items: str) -> RecommendationList:
    return msgspec.structs.replace(made(name, *items, at_ms=at_ms), variant=variant)


def fresh() -> Joiner:
    return Joiner({ANN: None}, {ANN: None})


def again(joiner: Joiner) -> Joiner:
    """Of the next portion, with what the one before left."""
    return Joiner(dict(joiner.packed()), {ANN: None} | dict(joiner.enrolments.changed()))


def sums(*joiners: Joiner, variant: str = "b") -> Outcomes:
    found = Outcomes()
    for joiner in joiners:
        cohorts = joiner.enrolments.counts["shop", "e"]
        found.add({name: n for (label, _, name), n in cohorts.items() if label == f"e:{variant}"})
    return found


def test_a_shopper_comes_into_an_experiment_once() -> None:
    joiner = fresh()
    joiner.shown(listed("l1", "e:b", NOON_MS, "a"))
    later = again(joiner)
    later.shown(listed("l2", "e:b", NOON_MS + 1, "a"))
    later.shown(listed("l3", "e:a", NOON_MS + 2, "a"))
    later.shown(listed("l4", "default", NOON_MS + 3, "a"))
    assert sums(joiner) == Outcomes(shoppers=1)
    assert not any(later.enrolments.counts.values())
    assert not dict(later.enrolments.changed())


def test_what_they_do_within_a_day_counts_and_nothing_after() -> None:
    joiner = fresh()
    joiner.shown(listed("l1", "e:b", NOON_MS, "a", "b"))
    joiner.shown(listed("l2", "default", NOON_MS + WINDOW_MS - 5, "c"))
    joiner.acted(did(EventType.VIEW_ITEM_LIST, "a", "b", of="l1"), NOON_MS + 1)
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l1"), NOON_MS + 2)
    joiner.acted(did(EventType.SELECT_ITEM, "b", of="l1"), NOON_MS + 3)
    joiner.acted(did(EventType.PURCHASE, "what no list had"), NOON_MS + 4)
    within = sums(joiner)
    assert within == Outcomes(1, 1, 1, 1, seen=2, hit=2, seen_seen=4, hit_hit=4, seen_hit=4)
    joiner.acted(did(EventType.VIEW_ITEM_LIST, "c", of="l2"), NOON_MS + WINDOW_MS)
    joiner.acted(did(EventType.SELECT_ITEM, "c", of="l2"), NOON_MS + WINDOW_MS)
    assert sums(joiner) == within


def test_squares_and_products_are_those_of_the_shopper_in_any_order() -> None:
    joiner = fresh()
    items = [f"i{n}" for n in range(7)]
    joiner.shown(listed("l1", "e:b", NOON_MS, *items))
    told = [("seen", 0), ("hit", 1), ("seen", 1), ("seen", 2), ("hit", 2), ("seen", 3), ("hit", 4)]
    for at, (what, place) in enumerate(told):
        kind = EventType.VIEW_ITEM_LIST if what == "seen" else EventType.SELECT_ITEM
        joiner.acted(did(kind, items[place], of="l1"), NOON_MS + 1 + at)
    assert sums(joiner) == Outcomes(1, 1, 0, 1, seen=4, hit=2, seen_seen=16, hit_hit=4, seen_hit=8)


def test_a_purchase_that_the_first_list_answers_was_before_it() -> None:
    joiner = fresh()
    joiner.shown(listed("l1", "e:b", NOON_MS, "a"))
    joiner.acted(did(EventType.PURCHASE, "a"), NOON_MS)
    assert sums(joiner).bought == 0


def test_a_list_from_before_the_experiment_is_none_of_it() -> None:
    joiner = fresh()
    joiner.shown(listed("l1", "default", NOON_MS, "a"))
    joiner.shown(listed("l2", "e:b", NOON_MS + 1, "b"))
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l1"), NOON_MS + 2)
    assert sums(joiner).clicked == 0


def test_a_list_made_another_way_meanwhile_is_none_of_it() -> None:
    joiner = fresh()
    joiner.shown(listed("l1", "e:b", NOON_MS, "a"))
    joiner.shown(listed("l2", "default", NOON_MS + 1, "b"))
    joiner.acted(did(EventType.VIEW_ITEM_LIST, "b", of="l2"), NOON_MS + 2)
    joiner.acted(did(EventType.SELECT_ITEM, "b", of="l2"), NOON_MS + 2)
    assert sums(joiner) == Outcomes(shoppers=1)
    joiner.acted(did(EventType.SELECT_ITEM, "a", of="l1"), NOON_MS + 3)
    assert sums(joiner) == Outcomes(shoppers=1, clicked=1)


def test_who_is_erased_is_not_held_any_more_and_sums_stay() -> None:
    joiner = fresh()
    joiner.shown(listed("l1", "e:b", NOON_MS, "a"))
    later = again(joiner)
    later.forget(ANN)
    assert dict(later.enrolments.changed()) == {ANN: None}
    assert sums(joiner, later).shoppers == 1


def test_experiments_long_over_are_no_longer_held() -> None:
    enrolments = Enrolments({ANN: None})
    enrolments.listed(ANN, "e:b", NOON_MS)
    enrolments.listed(ANN, "f:b", FAR_MS)
    (packed,) = dict(enrolments.changed()).values()
    assert packed is not None
    assert b"f:b" in packed
    assert b"e:b" not in packed


def test_only_settled_cohorts_have_outcomes() -> None:
    cohorts = {
        ("e:b", str(cohort_of(at)), what): n
        for at in (NOON_MS, FAR_MS)
        for what, n in (("shoppers", 5), ("clicked", 2))
    }
    shoppers, settled = by_variant(cohorts, FAR_MS)
    assert shoppers == {"b": 10}
    assert settled == {"b": Outcomes(shoppers=5, clicked=2)}
    assert {"shoppers", "clicked"} < set(NAMES)


@dataclass
class Recount:
    """The same from the whole history of each shopper at once."""

    came: dict[str, int] = field(default_factory=dict)
    lists: list[tuple[str, str, int]] = field(default_factory=list)
    deeds: list[tuple[str, EventType, str, int]] = field(default_factory=list)

    def sums(self) -> Outcomes:
        found = Outcomes()
        for user, came in self.came.items():
            mine = {name: at for of, name, at in self.lists if of == user and at >= came}
            within = [
                (kind, name)
                for of, kind, name, at in self.deeds
                if of == user and came < at < came + WINDOW_MS
            ]
            seen = {n for kind, n in within if kind is EventType.VIEW_ITEM_LIST and n in mine}
            clicked = {n for kind, n in within if kind is EventType.SELECT_ITEM and n in mine}
            bought = any(kind is EventType.PURCHASE for kind, _ in within)
            s, h = len(seen), len(seen & clicked)
            one = Outcomes(
                1, int(bool(clicked)), int(bought), int(s > 0), s, h, s * s, h * h, s * h
            )
            found.add(asdict(one))
        return found


def test_sums_are_those_of_each_shoppers_whole_history_however_it_is_parted() -> None:
    rng = random.Random(4)
    users = [f"u{n}" for n in range(6)]
    held: dict[ShopperName, bytes | None] = {("shop", user): None for user in users}
    enrolled = dict(held)
    recount, total = Recount(), Outcomes()
    joiner, at_ms = Joiner(held, enrolled), NOON_MS
    for step in range(600):
        at_ms += rng.randrange(1, WINDOW_MS // 60)
        user = rng.choice(users)
        mine = [name for of, name, at in recount.lists if of == user and at > at_ms - WINDOW_MS]
        if rng.random() < 0.2 or not mine:
            name = f"l{step}"
            joiner.shown(msgspec.structs.replace(listed(name, "e:b", at_ms, "a"), user=user))
            recount.came.setdefault(user, at_ms)
            recount.lists.append((user, name, at_ms))
        else:
            name = rng.choice(mine[-HELD_LISTS:])
            kind = rng.choice([EventType.VIEW_ITEM_LIST, EventType.SELECT_ITEM, EventType.PURCHASE])
            deed = did(kind, "a", of=name, event_id=f"{step}")
            joiner.acted(msgspec.structs.replace(deed, user_id=user), at_ms)
            recount.deeds.append((user, kind, name, at_ms))
        if rng.random() < 0.1:
            total = portion_ends(joiner, held, enrolled, total)
            joiner = Joiner(held, enrolled)
    assert portion_ends(joiner, held, enrolled, total) == recount.sums()
    assert total.hit > 3
    assert total.bought > 1


def portion_ends(
    joiner: Joiner,
    held: dict[ShopperName, bytes | None],
    enrolled: dict[ShopperName, bytes | None],
    total: Outcomes,
) -> Outcomes:
    held |= dict(joiner.packed())
    enrolled |= dict(joiner.enrolments.changed())
    total.add(asdict(sums(joiner)))
    return total
