"""What buyers say of items, in scores and in reasons."""

from __future__ import annotations

import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, shopper

from millstream.domain.lists import RankedItem
from millstream.domain.reviews import ReviewCounts
from millstream.ranking.rank import rank
from millstream.ranking.settings import RankingSettings


def said(item: str, good: int, bad: int) -> tuple[str, ReviewCounts]:
    return item, ReviewCounts(tenant="default", item_id=item, good=good, bad=bad)


SHOP = FixedShop(
    best=[("few", 3.0), ("mug", 2.0), ("pot", 1.0), ("jug", 0.0), ("unknown", -1.0)],
    said=dict((said("few", 3, 0), said("mug", 139, 10), said("pot", 15, 15), said("jug", 1, 99))),
)


def listed(settings: RankingSettings, shop: FixedShop = SHOP) -> list[RankedItem]:
    ranked = rank([shopper()], shop, None, settings, NOW_MS)
    return list(ranked.lists[0])


def ids(settings: RankingSettings) -> list[str]:
    return [item.item_id for item in listed(settings)]


def test_a_reason_tells_who_likes_it_from_a_number_of_reviews_and_a_share_on() -> None:
    reasons = {item.item_id: item.reason for item in listed(RankingSettings())}
    assert reasons["mug"] == "popular lately, liked by 93 % of reviewers"
    plain = {item: reason for item, reason in reasons.items() if item != "mug"}
    assert set(plain.values()) == {"popular lately"}
    few = {i.item_id: i.reason for i in listed(RankingSettings(least_reviews=3))}
    assert few["few"] == "popular lately, liked by 100 % of reviewers"
    half = {i.item_id: i.reason for i in listed(RankingSettings(liked_told=0.5))}
    assert half["pot"] == "popular lately, liked by 50 % of reviewers"


def test_all_like_it_is_said_only_where_nobody_dislikes_it() -> None:
    shop = FixedShop(best=[("mug", 1.0)], said=dict((said("mug", 999, 1),)))
    assert "99 %" in listed(RankingSettings(), shop)[0].reason


def test_without_reviews_lists_are_what_they_were() -> None:
    bare = FixedShop(best=SHOP.best)
    told = listed(RankingSettings(most_disliked=0.0, liked_weight=5.0), bare)
    assert [i.item_id for i in told] == ["few", "mug", "pot", "jug", "unknown"]
    assert {i.reason for i in told} == {"popular lately"}


@pytest.mark.parametrize(
    ("most", "gone"), [(1.0, set()), (0.99, set()), (0.98, {"jug"}), (0.4, {"jug", "pot"})]
)
def test_what_more_than_so_many_dislike_is_not_pushed(most: float, gone: set[str]) -> None:
    everything = {"few", "mug", "pot", "jug", "unknown"}
    assert set(ids(RankingSettings(most_disliked=most))) == everything - gone


def test_few_reviews_take_nothing_out() -> None:
    settings = RankingSettings(most_disliked=0.0, least_reviews=101)
    assert "jug" in ids(settings)
    assert "jug" not in ids(RankingSettings(most_disliked=0.0, least_reviews=100))


def test_a_weight_moves_what_is_liked_up_and_what_is_not_down() -> None:
    plain = ids(RankingSettings())
    assert plain == ["few", "mug", "pot", "jug", "unknown"]
    weighed = ids(RankingSettings(liked_weight=10.0))
    assert weighed == ["mug", "few", "pot", "unknown", "jug"]
    scores = {i.item_id: i.score for i in listed(RankingSettings(liked_weight=10.0))}
    before = {i.item_id: i.score for i in listed(RankingSettings())}
    share = (139 + 10) / (149 + 20)
    assert scores["mug"] - before["mug"] == pytest.approx(10 * (2 * share - 1), abs=1e-5)
    assert scores["unknown"] == before["unknown"]
