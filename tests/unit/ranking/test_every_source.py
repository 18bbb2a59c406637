"""What each source in SOURCES has to keep; a new source is tested by standing in the list."""

from __future__ import annotations

import pytest
from tests.unit.ranking.worlds import (
    NOW_MS,
    Candidate,
    FixedShop,
    FixedTaste,
    batch_of,
    entry,
    readable,
    shopper,
)

from millstream.domain.lists import Source
from millstream.domain.rules import NamedRule, RuleKind, RulesInForce, RuleTerms
from millstream.ranking.candidates import SOURCES
from millstream.ranking.candidates.source import CandidateSource, Context, TasteModel
from millstream.ranking.rank import taste_of
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

IDS = [f"i{n}" for n in range(30)]
FULL = FixedShop(
    near={item: [(other, 1 / 29) for other in IDS if other != item] for item in IDS},
    best=[(item, 1000.0 - place) for place, item in enumerate(IDS)],
    fresh=IDS,
    catalogue={"i7": entry("i7")},
)
RULES = RulesInForce(
    pins=(NamedRule("seven", RuleTerms(kind=RuleKind.PIN, item_id="i7", place=1)),)
)
MODEL = FixedTaste(IDS, [5.0 - place for place in range(30)])
CROWD = [shopper("i3", "i4", "i9", name="a"), shopper(name="unknown"), shopper("gone", name="b")]
every_source = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.SOURCE)


def proposals(
    source: CandidateSource,
    crowd: list[Shopper],
    shop: FixedShop = FULL,
    model: TasteModel | None = MODEL,
    candidates: int = 100,
    rules: RulesInForce = RULES,
) -> list[list[Candidate]]:
    settings = RankingSettings(candidates=candidates)
    batch = batch_of(crowd)
    context = Context(shop, settings, taste_of(crowd, model), NOW_MS, rules)
    found = source.propose(batch, context)
    return readable(batch, source.SOURCE, found)


def test_every_name_of_a_source_has_its_source() -> None:
    tried_out = {Source.EXPLORE}  # chosen from what the others propose
    assert {source.SOURCE for source in SOURCES} == set(Source) - tried_out


@every_source
def test_proposes_something_and_names_itself(source: CandidateSource) -> None:
    candidates = [c for line in proposals(source, CROWD) for c in line]
    assert {c.source for c in candidates} == {source.SOURCE}


@every_source
def test_one_line_per_shopper_in_their_order(source: CandidateSource) -> None:
    lines = proposals(source, CROWD)
    assert lines == [line for one in CROWD for line in proposals(source, [one])]


@every_source
def test_at_most_candidates_and_each_item_once(source: CandidateSource) -> None:
    for line in proposals(source, CROWD, candidates=2):
        assert len(line) <= 2
        assert len({c.item_id for c in line}) == len(line)


@every_source
def test_strengths_lie_between_0_and_1_and_one_is_the_strongest(source: CandidateSource) -> None:
    for line in proposals(source, CROWD):
        assert all(0.0 <= c.strength <= 1.0 for c in line)
        assert not line or line[0].strength == 1.0


@every_source
def test_an_empty_shop_without_a_model(source: CandidateSource) -> None:
    lines = proposals(source, [shopper(name="unknown")], FixedShop(), model=None)
    assert lines == [[]]


@every_source
def test_a_shopper_the_model_does_not_know(source: CandidateSource) -> None:
    unknown = FixedTaste(IDS, [0.0] * 30, known=False)
    assert len(proposals(source, [shopper(name="unknown")], model=unknown)) == 1


@every_source
def test_the_same_twice(source: CandidateSource) -> None:
    assert proposals(source, CROWD) == proposals(source, CROWD)
