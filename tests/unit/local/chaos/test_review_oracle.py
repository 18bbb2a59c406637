"""The oracle of reviews: what it takes for one, and what it makes of verdicts."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from millstream.domain.errors import Refused
from millstream.domain.reviews import decode_review
from millstream.local.chaos.report import Report
from millstream.local.chaos.reviews.oracle import ReviewOracle
from millstream.local.chaos.reviews.reckoning import compare_counts
from millstream.local.chaos.reviews.traffic import POISONS, ReviewTraffic
from millstream.local.chaos.traffic import Kind, Shipment, Shop

NOW = 1_790_000_000_000


def sent(count: int) -> list[Shipment]:
    traffic = ReviewTraffic(3, Shop(4), lambda: NOW)
    return [shipment for shipment, _ in zip(traffic, range(count), strict=False)]


def said(review_id: str, verdict: str, user: str = "ann", item: str = "mug") -> bytes:
    names = {"tenant": "default", "user": user, "review_id": review_id}
    return json.dumps({**names, "item_id": item, "verdict": verdict}).encode()


def written(*review_ids: str) -> ReviewOracle:
    oracle = ReviewOracle()
    for offset, review_id in enumerate(review_ids):
        body = {"review_id": review_id, "item_id": "mug", "user_id": "ann", "text": "great"}
        value = json.dumps({**body, "time": "2026-01-01T00:00:00Z"}).encode()
        oracle.add_review((0, offset), NOW, value)
    return oracle


@pytest.mark.parametrize("number", range(len(POISONS)))
def test_no_poison_is_a_review_to_the_decoder_or_to_the_oracle(number: int) -> None:
    with pytest.raises(Refused):
        decode_review(POISONS[number], NOW)
    oracle = ReviewOracle()
    oracle.add_review((1, number), NOW, POISONS[number])
    assert (oracle.written, oracle.refused) == ({}, {(1, number)})


def test_what_the_traffic_calls_a_review_is_one_to_both() -> None:
    oracle, changed = ReviewOracle(), 0
    first: dict[str, Any] = {}
    for offset, shipment in enumerate(sent(2000)):
        if shipment.kind is Kind.POISON:
            continue
        theirs = decode_review(shipment.value, NOW)
        oracle.add_review((shipment.partition, offset), NOW, shipment.value)
        name = (theirs.tenant, theirs.shopper, theirs.review_id)
        assert oracle.written[name] == {theirs.item_id}, "a repeat is of the same item"
        changed += first.setdefault(theirs.review_id, theirs.text) != theirs.text
    assert oracle.refused == set()
    assert len(first) == len(oracle.written) == oracle.unjudged > 1000
    assert changed > 100


def test_of_a_review_the_first_verdict_counts_once() -> None:
    oracle = written("1", "2", "3")
    for value in (said("1", "good"), said("1", "bad"), said("2", "bad"), said("1", "good")):
        oracle.add_verdict(value)
    assert oracle.counts == {("default", "mug", "good"): 1, ("default", "mug", "bad"): 1}
    assert (oracle.unjudged, oracle.verdicts, oracle.strange) == (1, 4, 0)


def test_a_verdict_on_what_nobody_wrote_is_strange() -> None:
    oracle = written("1")
    for value in (
        said("2", "good"),
        said("1", "good", user="bob"),
        said("1", "good", item="pot"),
        b"{",
    ):
        oracle.add_verdict(value)
    assert (oracle.strange, oracle.counts, oracle.unjudged) == (4, Counter(), 1)


def test_counts_that_differ_are_told_as_lost_and_doubled() -> None:
    report = Report(1)
    good, bad = ("default", "mug", "good"), ("default", "mug", "bad")
    compare_counts(Counter({good: 3}), Counter({good: 3}), report)
    assert not report.broken
    compare_counts(Counter({good: 5, bad: 1}), Counter({good: 3, bad: 4}), report)
    assert (report.lost, report.doubled, len(report.violations)) == (3, 2, 1)
