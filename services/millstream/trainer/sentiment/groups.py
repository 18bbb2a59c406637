"""Which of the held-out reviews a version is right on, with 95 % intervals, for its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.model.manifest import Interval
from millstream.model.sentiment.manifest import PROBABILITY, Figure, ReviewGroup
from millstream.trainer.gate.bootstrap import Values, bounds, resampled_sums
from millstream.trainer.gate.segments import OVERALL
from millstream.trainer.sentiment.calibration import BINS, binned_gaps
from millstream.trainer.sentiment.compare import NEUTRAL, ReviewGateRule, largest_domains
from millstream.trainer.sentiment.data import Reviews

LABEL, DOMAIN, LENGTH, TITLE = "label", "domain", "length", "title"
_MOST_WORDS = (25, 100, 250)
_LENGTHS = ("up to 25 words", "26 to 100 words", "101 to 250 words", "over 250 words")
_BANDS = 10

Bools = NDArray[np.bool_]


class _Name(NamedTuple):
    kind: str
    name: str


def review_groups(
    asked: Reviews, given: FloatArray, rule: ReviewGateRule
) -> tuple[ReviewGroup, ...]:
    """All of them first; others that are none or all of the reviews are left out. `given`: (n,)
    probabilities, n at least 1. Reviews are drawn once for all groups. Blocks for a second where
    there are some 8,000."""
    members = dict(_members(asked, given))
    right = (given > NEUTRAL) == asked.labels
    each = np.column_stack([np.ones(len(asked)), right, binned_gaps(given, asked.labels)])
    table = np.hstack([each * rows[:, None] for rows in members.values()])
    drawn = resampled_sums(table, rule.resamples, rule.seed)
    parts = np.split(drawn, len(members), axis=1)
    sums = np.split(table.sum(axis=0), len(members))
    return tuple(
        _group(name, found, part, rule)
        for name, found, part in zip(members, sums, parts, strict=True)
    )


def named_intervals(groups: tuple[ReviewGroup, ...]) -> dict[str, Interval]:
    """By the names of the version's metrics."""
    overall, *others = groups
    found = {"accuracy": overall.accuracy}
    if overall.calibration_error is not None:
        found["calibration_error"] = overall.calibration_error
    found |= {f"accuracy_{one.name}": one.accuracy for one in others if one.kind == DOMAIN}
    return {name: figure.interval for name, figure in found.items() if figure.interval is not None}


def _members(asked: Reviews, given: FloatArray) -> Iterator[tuple[_Name, Bools]]:
    every = np.ones(len(asked), dtype=np.bool_)
    yield _Name("", OVERALL), every
    for name, rows in _parts(asked, given):
        if 0 < rows.sum() < len(asked):
            yield name, rows


def _parts(asked: Reviews, given: FloatArray) -> Iterator[tuple[_Name, Bools]]:
    domains = np.array(asked.domains)
    for domain in largest_domains(asked):
        yield _Name(DOMAIN, domain), domains == domain
    yield _Name(LABEL, "good"), asked.labels == 1
    yield _Name(LABEL, "bad"), asked.labels == 0
    lengths = np.array([len(review.text.split()) for review in asked.texts])
    for place, name in enumerate(_LENGTHS):
        yield _Name(LENGTH, name), np.searchsorted(_MOST_WORDS, lengths) == place
    titled = np.array([bool(review.title.strip()) for review in asked.texts], dtype=np.bool_)
    yield _Name(TITLE, "with"), titled
    yield _Name(TITLE, "without"), ~titled
    bands = np.minimum((given * _BANDS).astype(np.int64), _BANDS - 1)
    for band in range(_BANDS):
        told = f"{band / _BANDS:.1f} to {(band + 1) / _BANDS:.1f}"
        yield _Name(PROBABILITY, told), bands == band


def _group(name: _Name, sums: Values, drawn: Values, rule: ReviewGateRule) -> ReviewGroup:
    """`sums` (2 + BINS,) and `drawn` (resamples, 2 + BINS): reviews, right ones, gaps by bin."""
    reviews = round(sums[0])
    least = rule.least_domain_reviews if name.kind else rule.least_reviews
    found, some = _figures(sums[None, :])[0], _figures(drawn)
    low, high = bounds(some)
    # Chance adds to the error of each draw as it did to the error itself, so the draws' distance
    # from it is taken the other way round (Davison and Hinkley 1997, 5.2.1).
    low[2], high[2] = (max(0.0, 2 * found[2] - end) for end in (high[2], low[2]))
    intervals = [Interval(*pair) for pair in zip(low.tolist(), high.tolist(), strict=True)]
    accuracy, gap, error = (
        Figure(value, interval if reviews >= least else None)
        for value, interval in zip(found.tolist(), intervals, strict=True)
    )
    says_nothing = name.kind in {LABEL, PROBABILITY}
    return ReviewGroup(*name, reviews, accuracy, gap, None if says_nothing else error)


def _figures(sums: Values) -> Values:
    """(k, 3): accuracy, gap and calibration error of (k, 2 + BINS)."""
    reviews, gaps = np.maximum(sums[:, 0], 1.0), sums[:, -BINS:]
    each = (sums[:, 1], gaps.sum(axis=1), np.abs(gaps).sum(axis=1))
    return np.column_stack(each) / reviews[:, None]
