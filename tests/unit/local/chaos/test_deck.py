"""Every kind of fault is drawn, by whichever lane plays it, before any comes again."""

from __future__ import annotations

import random

import pytest

from millstream.local.chaos.deck import Deck
from millstream.local.chaos.faults import KINDS, kinds_of
from millstream.local.chaos.scene import Tier


@pytest.mark.parametrize("seed", range(3))
def test_two_tiers_together_play_every_kind_before_one_comes_again(seed: int) -> None:
    deck = Deck(KINDS, random.Random(seed))
    faust_only = [kind for kind in KINDS if "bare" not in kind.tiers]
    drawn = [deck.draw("bare") for _ in range(len(KINDS) - len(faust_only))]
    drawn += [deck.draw("faust") for _ in faust_only]
    assert sorted(kind.kind for kind in drawn if kind) == sorted(kind.kind for kind in KINDS)


@pytest.mark.parametrize("tier", ["bare", "faust", "reviews"])
def test_one_tier_alone_meets_all_of_its_kinds(tier: Tier) -> None:
    mine = kinds_of(tier)
    deck = Deck(mine if tier == "reviews" else KINDS, random.Random(1))
    assert {deck.draw(tier) for _ in mine} == set(mine)


def test_what_did_not_apply_comes_again_but_not_at_once() -> None:
    deck = Deck(KINDS, random.Random(2))
    first = deck.draw("faust")
    assert first is not None
    deck.put_back(first)
    following = [deck.draw("faust") for _ in range(8)]
    assert following[0] is not first
    assert first in following


def test_a_tier_without_any_of_the_kinds_draws_none() -> None:
    only = [kind for kind in KINDS if kind.kind == "worker-added"]
    assert Deck(only, random.Random(1)).draw("bare") is None
