"""The reviews that are judged for the clock: as many as asked for, each of its own, taken by
insights' own rule."""

from __future__ import annotations

import msgspec
from tests.builders import NOON_MS

from millstream.cli.bench import ROOT, benchmark
from millstream.domain.reviews import decode_review

bench = benchmark("reviews", ROOT)


def test_each_review_is_one_that_insights_takes() -> None:
    made = list(bench.made_reviews(bench.Size(reviews=300, shoppers=7, items=5), NOON_MS))
    assert [decode_review(msgspec.json.encode(one), NOON_MS) for one in made] == made
    assert len({one.review_id for one in made}) == 300
    assert len({one.shopper for one in made}) == 7
    assert len({one.item_id for one in made}) == 5


def test_they_are_the_same_each_time() -> None:
    size = bench.Size(reviews=50, shoppers=3, items=5)
    assert list(bench.made_reviews(size, NOON_MS)) == list(bench.made_reviews(size, NOON_MS))
