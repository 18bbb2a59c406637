"""Which held-out reviews are judged how well: known answers, and what intervals tell."""

from __future__ import annotations

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.model.sentiment.manifest import ReviewGroup
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.compare import ReviewGateRule
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.groups import named_intervals, review_groups

RULE = ReviewGateRule(resamples=400)
COUNT = 600


def asked(labels: list[int]) -> Reviews:
    """Every third of kitchen goods, the rest of books; the first of them 30 words long."""
    texts = [ReviewText("t" if n % 2 else "", "so " * (30 if n < 60 else 3)) for n in range(COUNT)]
    domains = ["books" if n % 3 else "kitchen" for n in range(COUNT)]
    return Reviews(tuple(texts), np.array(labels, dtype=np.int64), tuple(domains))


def told(reviews: Reviews, given: FloatArray) -> dict[tuple[str, str], ReviewGroup]:
    return {(one.kind, one.name): one for one in review_groups(reviews, given, RULE)}


def drawn_as_said(more_sure: float = 0.0) -> tuple[Reviews, FloatArray]:
    """Labels by the probabilities .2, .5 and .8, which then are told as by so much greater."""
    rng = np.random.default_rng(5)
    meant = rng.choice([0.2, 0.5, 0.8], COUNT)
    reviews = asked((rng.random(COUNT) < meant).astype(int).tolist())
    return reviews, (meant + more_sure).astype(np.float32)


def test_each_group_has_its_own_reviews_and_share() -> None:
    """Right on books, wrong on half of kitchen goods: the bad ones."""
    labels = [n % 2 for n in range(COUNT)]
    given = np.array([0.95 if n % 2 or n % 3 == 0 else 0.05 for n in range(COUNT)], np.float32)
    groups = told(asked(labels), given)
    assert groups["domain", "books"].reviews == 400
    assert groups["domain", "books"].accuracy.value == 1.0
    assert groups["domain", "kitchen"].accuracy.value == 0.5
    assert groups["label", "good"].accuracy.value == 1.0
    assert groups["label", "bad"].accuracy.value == 200 / 300
    assert groups["length", "26 to 100 words"].reviews == 60
    assert groups["length", "up to 25 words"].reviews == 540
    assert ("length", "over 250 words") not in groups
    assert groups["title", "with"].reviews == groups["title", "without"].reviews == 300
    assert groups["probability", "0.9 to 1.0"].reviews == 400
    assert next(iter(groups)) == ("", "overall")
    assert groups["label", "good"].calibration_error is None


def test_an_interval_is_as_wide_as_a_share_of_so_many_has_it() -> None:
    reviews, given = drawn_as_said()
    groups = told(reviews, given)
    for name in (("", "overall"), ("domain", "books"), ("label", "good")):
        accuracy, count = groups[name].accuracy, groups[name].reviews
        assert accuracy.interval is not None
        reach = 1.96 * (accuracy.value * (1 - accuracy.value) / count) ** 0.5
        width = accuracy.interval.high - accuracy.interval.low
        assert abs(width - 2 * reach) < 0.4 * reach
        assert accuracy.interval.low < accuracy.value < accuracy.interval.high


def test_probabilities_that_mean_what_they_say_may_have_no_error_at_all() -> None:
    overall = told(*drawn_as_said())["", "overall"]
    assert overall.calibration_error is not None
    assert overall.calibration_error.interval is not None
    assert overall.calibration_error.interval.low < 0.01
    assert overall.gap.interval is not None
    assert overall.gap.interval.low < 0 < overall.gap.interval.high


def test_those_that_say_too_much_have_one_and_each_band_shows_it() -> None:
    groups = told(*drawn_as_said(0.15))
    overall = groups["", "overall"]
    assert overall.calibration_error is not None
    assert overall.calibration_error.interval is not None
    assert overall.calibration_error.interval.low > 0.08
    bands = [group.gap.interval for (kind, _), group in groups.items() if kind == "probability"]
    assert len(bands) == 3
    assert all(band is not None and band.low > 0 for band in bands)


def test_of_few_reviews_no_interval_is_told() -> None:
    reviews, given = drawn_as_said()
    few = reviews.take(np.arange(90))
    groups = told(few, given[:90])
    assert groups["", "overall"].accuracy.interval is None, "fewer than a verdict needs"
    assert groups["domain", "books"].accuracy.interval is not None
    assert groups["domain", "kitchen"].accuracy.interval is None


def test_the_metrics_have_the_intervals_of_their_groups() -> None:
    groups = review_groups(*drawn_as_said(), RULE)
    found = named_intervals(groups)
    assert set(found) == {
        "accuracy",
        "calibration_error",
        "accuracy_books",
        "accuracy_kitchen",
    }
    assert found["accuracy"] == groups[0].accuracy.interval
