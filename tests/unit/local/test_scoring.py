"""Recall by hand: which list stands, what counts as the answer, what is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source
from millstream.local.scoring import (
    Recall,
    Scorer,
    baskets,
    by_invoice,
    by_item,
    compare_versions,
)

START = datetime(2011, 1, 4, tzinfo=UTC)


def event(
    kind: EventType, *items: str, user: str = "u", session: str | None = None, minute: int = 0
) -> Event:
    return Event(
        event_id=f"{kind}-{session}-{minute}",
        type=kind,
        time=START + timedelta(minutes=minute),
        user_id=user,
        items=tuple(Line(item_id) for item_id in items),
        session_id=session,
        transaction_id=session,
    )


def ranked(*items: str, user: str = "u", offset: int = 1, version: str = "1") -> RecommendationList:
    at = START + timedelta(seconds=offset)
    return RecommendationList(
        recommendation_id=f"{user}{offset}",
        tenant="default",
        user=user,
        variant="all",
        items=tuple(RankedItem(item_id, 1.0, Source.POPULAR, "") for item_id in items),
        model_version=version,
        settings_digest="",
        origin=Origin("t", 0, offset),
        event_time=at,
        log_time=at,
        published_at=at,
    )


def test_an_invoice_is_scored_by_the_list_before_its_first_view() -> None:
    scorer = Scorer(by_invoice)
    scorer.listed(ranked("a", "x"))
    scorer.before(event(EventType.VIEW_ITEM, "b", session="s"))
    scorer.listed(ranked("a", "b", "c", "d", offset=2))  # knows the view: too late
    scorer.before(event(EventType.PURCHASE, "a", "b", "c", "d", session="s", minute=1))
    assert scorer.score().overall == Recall(1, 0.25, 0.0)


def test_the_parts_of_a_split_invoice_are_one_case() -> None:
    scorer = Scorer(by_invoice)
    scorer.listed(ranked("a", "b"))
    scorer.before(event(EventType.PURCHASE, "a", session="s"))
    scorer.before(event(EventType.PURCHASE, "b", "c", "d", session="s"))
    assert scorer.score().overall == Recall(1, 0.5, 0.0)


def test_an_item_is_scored_by_the_list_before_the_shopper_first_met_it() -> None:
    scorer = Scorer(by_item)
    scorer.listed(ranked("a"))
    scorer.before(event(EventType.VIEW_ITEM, "b"))
    scorer.before(event(EventType.VIEW_ITEM, "a"))
    scorer.listed(ranked("b", offset=2))
    scorer.before(event(EventType.PURCHASE, "a"))
    scorer.before(event(EventType.PURCHASE, "b"))
    assert scorer.score().overall == Recall(2, 0.5, 0.0)


def test_best_sellers_are_those_before_the_case_opened() -> None:
    scorer = Scorer(by_invoice)
    scorer.before(event(EventType.PURCHASE, "hit", user="other", session="o"))
    scorer.listed(ranked("miss"))
    scorer.before(event(EventType.PURCHASE, "hit", "own", session="s", minute=1))
    score = scorer.score()
    assert score.overall == Recall(1, 0.0, 0.5)
    assert score.cases_without_list == 1
    assert score.overall.over_popularity == 0.0


def test_the_stronger_best_sellers_are_the_baseline() -> None:
    scorer = Scorer(by_invoice)
    for session in range(20):
        bulk = [f"old{n}" for n in range(20)]
        scorer.before(event(EventType.PURCHASE, *bulk, user="early", session=f"e{session}"))
    year = 365 * 24 * 60
    for session in range(2):
        scorer.before(
            event(EventType.PURCHASE, "new", user="late", session=f"l{session}", minute=year)
        )
    scorer.listed(ranked("new"))
    scorer.before(event(EventType.PURCHASE, "new", session="s", minute=year + 1))
    score = scorer.score()
    assert score.overall == Recall(1, 1.0, 1.0)
    assert score.popularity == "decayed_7d"


def test_hidden_items_are_no_answer_and_no_best_seller() -> None:
    scorer = Scorer(by_invoice)
    scorer.catalogued(CatalogueItem(item_id="POST", added_at=START, hidden=True))
    scorer.before(event(EventType.PURCHASE, "POST", user="other", session="o"))
    scorer.listed(ranked("a"))
    scorer.before(event(EventType.PURCHASE, "POST", "a", session="s", minute=1))
    assert scorer.score().overall == Recall(1, 1.0, 0.0)


def test_views_and_refunds_are_no_answers() -> None:
    scorer = Scorer(by_invoice)
    scorer.listed(ranked("a"))
    scorer.before(event(EventType.VIEW_ITEM, "a", session="s"))
    scorer.before(event(EventType.REFUND, "a", session="r"))
    assert scorer.score().overall == Recall(0, 0.0, 0.0)


def test_the_newest_list_stands_whatever_order_lists_arrive_in() -> None:
    scorer = Scorer(by_invoice)
    scorer.listed(ranked("a", offset=5, version="2"))
    scorer.listed(ranked("b", offset=4, version="1"))
    scorer.before(event(EventType.PURCHASE, "a", session="s"))
    assert scorer.score().by_model_version == {"2": Recall(1, 1.0, 0.0)}


def test_only_twenty_items_of_a_list_count() -> None:
    scorer = Scorer(by_invoice)
    scorer.listed(ranked(*(f"i{n}" for n in range(30))))
    scorer.before(event(EventType.PURCHASE, "i19", "i20", session="s"))
    assert scorer.score().overall.recall_at_20 == 0.5


def test_a_list_is_wanted_once_per_case() -> None:
    scorer = Scorer(by_invoice)
    view = event(EventType.VIEW_ITEM, "a", session="s")
    assert scorer.wants_list(view)
    scorer.before(view)
    assert not scorer.wants_list(event(EventType.PURCHASE, "a", "b", session="s"))
    assert scorer.wants_list(event(EventType.PURCHASE, "a", session="next"))


def test_cases_known_to_stay_unanswered_are_not_waited_for_and_change_no_score() -> None:
    bought = event(EventType.PURCHASE, "a", minute=1)
    scorers = (Scorer(by_item), Scorer(by_item, {by_item(bought, "a")}))
    for scorer in scorers:
        scorer.listed(ranked("a"))
        scorer.before(event(EventType.VIEW_ITEM, "b"))
        scorer.before(bought)
    everything, known = scorers
    assert everything.score() == known.score()
    view = event(EventType.VIEW_ITEM, "c", minute=2)
    assert (everything.wants_list(view), known.wants_list(view)) == (True, False)


def test_baskets_join_the_parts_of_a_transaction_from_a_moment_on() -> None:
    events = [
        event(EventType.PURCHASE, "early", session="0"),
        event(EventType.PURCHASE, "a", "POST", session="1", minute=5),
        event(EventType.PURCHASE, "b", session="1", minute=5),
        event(EventType.VIEW_ITEM, "c", session="2", minute=6),
        event(EventType.PURCHASE, "POST", session="3", minute=7),
    ]
    since = START + timedelta(minutes=5)
    assert list(baskets(events, since, {"POST"})) == [("u", frozenset({"a", "b"}))]


def test_two_versions_are_compared_on_the_same_invoices() -> None:
    first = {"u": ["a"], "v": ["x"]}
    second = {"u": ["a", "b"]}
    invoices = [
        ("u", frozenset({"a", "b"})),
        ("v", frozenset({"x"})),
        ("unknown", frozenset({"a"})),
        ("u", frozenset[str]()),
    ]
    result = compare_versions(first.get, second.get, invoices)
    assert (result.invoices, result.first, result.second) == (2, 0.75, 0.5)


def test_no_common_invoice_makes_no_claim() -> None:
    result = compare_versions(lambda _: None, lambda _: None, [("u", frozenset({"a"}))])
    assert (result.invoices, result.first, result.second) == (0, 0.0, 0.0)


@pytest.mark.parametrize(("ours", "theirs", "ratio"), [(0.2, 0.1, 2.0), (0.2, 0.0, 0.0)])
def test_over_popularity(ours: float, theirs: float, ratio: float) -> None:
    assert Recall(9, ours, theirs).over_popularity == ratio
