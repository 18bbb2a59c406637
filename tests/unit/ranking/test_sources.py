"""Each source in a world whose answer is known."""

from __future__ import annotations

from tests.unit.ranking.worlds import (
    NOW_MS,
    Candidate,
    FixedShop,
    FixedTaste,
    batch_of,
    readable,
    shopper,
)

from millstream.domain.events import EventType
from millstream.features.recent_items import Touch
from millstream.ranking.candidates import covisited, embedding, new, popular, repeat
from millstream.ranking.candidates.source import CandidateSource, Context
from millstream.ranking.rank import taste_of
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

SETTINGS = RankingSettings(recency=0.5, repeat_recency=0.9)


def of(
    source: CandidateSource, who: Shopper, shop: FixedShop, model: FixedTaste | None = None
) -> list[Candidate]:
    batch = batch_of([who])
    found = source.propose(batch, Context(shop, SETTINGS, taste_of([who], model), NOW_MS))
    (line,) = readable(batch, source.SOURCE, found)
    return line


def told(line: list[Candidate]) -> list[tuple[str, float, str | None]]:
    return [(c.item_id, round(c.strength, 4), c.because) for c in line]


def test_neighbours_of_several_items_add_up_and_the_newest_is_the_reason() -> None:
    shop = FixedShop(near={"tea": [("cup", 0.6), ("pot", 0.4)], "mug": [("cup", 0.8)]})
    # cup: 0.6 of tea, and 0.8 at half the recency of mug; pot: 0.4 of tea.
    assert told(of(covisited, shopper("tea", "mug"), shop)) == [
        ("cup", 1.0, "tea"),
        ("pot", 0.4, "tea"),
    ]
    line = of(covisited, shopper("mug", "tea"), shop)
    assert told(line) == [("cup", 1.0, "mug"), ("pot", 0.1818, "tea")]


def test_the_items_of_one_basket_are_equally_recent() -> None:
    shop = FixedShop(near={"a": [("x", 1.0)], "b": [("y", 1.0)], "c": [("z", 1.0)]})
    basket = tuple(Touch(item, EventType.PURCHASE, NOW_MS) for item in "ab")
    earlier = Touch("c", EventType.PURCHASE, NOW_MS - 1)
    line = of(covisited, Shopper("default", "ann", (*basket, earlier)), shop)
    assert told(line) == [("x", 1.0, "a"), ("y", 1.0, "b"), ("z", 0.5, "c")]


def test_only_the_newest_items_lead_on() -> None:
    shop = FixedShop(near={"new": [("x", 1.0)], "old": [("y", 1.0)]})
    settings = RankingSettings(recent_items=1)
    batch = batch_of([shopper("new", "old")])
    found = covisited.propose(batch, Context(shop, settings, None, NOW_MS))
    assert [batch.table.ids[item] for item in found.items] == ["x"]


def test_at_the_border_equal_neighbours_of_a_newer_item_come_first() -> None:
    shop = FixedShop(near={"old": [("a", 0.5), ("b", 0.5)], "new": [("y", 0.5), ("z", 0.5)]})
    settings = RankingSettings(recency=1.0, candidates=3)
    batch = batch_of([shopper("new", "old")])
    found = covisited.propose(batch, Context(shop, settings, None, NOW_MS))
    assert {batch.table.ids[item] for item in found.items} == {"y", "z", "a"}


def test_an_item_that_adds_nothing_fails_nobody() -> None:
    """A recency of 0: everything but the newest event weighs nothing."""
    shop = FixedShop(near={"old": [("a", 1.0)], "tea": [("cup", 1.0)]})
    batch = batch_of([shopper("new", "old"), shopper("tea", name="bob")])
    found = covisited.propose(batch, Context(shop, RankingSettings(recency=0.0), None, NOW_MS))
    lines = readable(batch, covisited.SOURCE, found)
    assert [told(line) for line in lines] == [[("a", 0.0, "old")], [("cup", 1.0, "tea")]]


def test_repeats_are_the_recent_items_themselves() -> None:
    line = of(repeat, shopper("tea", "mug"), FixedShop())
    assert told(line) == [("tea", 1.0, "tea"), ("mug", 0.9, "mug")]


def test_popular_items_by_their_weight_against_the_first() -> None:
    line = of(popular, shopper(), FixedShop(best=[("tea", 20_000.0), ("mug", 19_999.0)]))
    assert told(line) == [("tea", 1.0, None), ("mug", 0.5, None)]


def test_the_catalogue_s_newest_in_their_order() -> None:
    line = of(new, shopper(), FixedShop(fresh=["c", "b"]))
    assert told(line) == [("c", 1.0, None), ("b", 0.5, None)]


def test_the_model_s_nearest_led_to_by_the_newest_item() -> None:
    model = FixedTaste(["a", "b"], [0.0, 2.0])
    line = of(embedding, shopper("tea"), FixedShop(), model)
    assert told(line) == [("b", 1.0, "tea"), ("a", 0.5677, "tea")]
    assert of(embedding, shopper(), FixedShop(), model)[0].because is None
