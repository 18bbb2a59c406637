"""Stage 1: rated reviews of the topic, a shopper's newest alone, without those of the erased.

Their words stand on the topic and nowhere else: they are read for a training and go with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from millstream.domain.acceptance import Shopper
from millstream.domain.erasures import Marks
from millstream.domain.errors import Refused
from millstream.domain.reviews import Review, decode_review
from millstream.model.sentiment.manifest import ReviewWindow
from millstream.model.sentiment.review import ReviewText
from millstream.streaming.decode import Record
from millstream.trainer.sentiment.data import Reviews

SHOP = "shop"
"""The domain of these reviews."""
GOOD_FROM, BAD_TO = 4.0, 2.0
"""Stars. What lies between says neither."""
_SPARE = 4
"""Times as many reviews as are wanted may wait to be chosen among."""


class Rated(NamedTuple):
    log_ms: int
    time_ms: int
    text: ReviewText
    good: bool


def review_in(record: Record, tenant: str) -> Review | None:
    """None for what is no review, or another tenant's."""
    try:
        review = decode_review(record.value, record.timestamp)
    except Refused:
        return None
    return review if review.tenant == tenant else None


def label_of(review: Review) -> bool | None:
    """Whether its rating says good; None where it says nothing."""
    rating = review.rating
    if rating is None or BAD_TO < rating < GOOD_FROM:
        return None
    return rating >= GOOD_FROM


class NewReviews:
    """Where the rated reviews stand that no training has looked at; no words."""

    def __init__(self, tenant: str, looked_at: Mapping[int, int]) -> None:
        """`looked_at`: the next offset of each partition, when the last version was trained."""
        self._tenant = tenant
        self._looked_at = dict(looked_at)
        self._rated: defaultdict[int, list[int]] = defaultdict(list)
        self._read_to: dict[int, int] = {}

    def take(self, record: Record) -> None:
        self._read_to[record.partition] = record.offset + 1
        review = review_in(record, self._tenant)
        if review is not None and label_of(review) is not None:
            self._rated[record.partition].append(record.offset)

    def count(self) -> int:
        return sum(
            sum(offset >= self._from(partition) for offset in offsets)
            for partition, offsets in self._rated.items()
        )

    def look_at(self, offsets: Mapping[int, int]) -> None:
        """A training did, up to these."""
        self._looked_at = dict(offsets)
        for partition, rated in self._rated.items():
            self._rated[partition] = [at for at in rated if at >= self._from(partition)]

    def _from(self, partition: int) -> int:
        """A log that ends before what was looked at was made anew: all of it is new."""
        looked_at = self._looked_at.get(partition, 0)
        return looked_at if self._read_to[partition] >= looked_at else 0


class RatedReviews:
    """What is read of the topic for one training, in the order of each partition."""

    def __init__(self, tenant: str, most: int) -> None:
        self._tenant = tenant
        self._most = most
        self._offsets: dict[int, int] = {}
        self._by_review: dict[tuple[Shopper, str], Rated] = {}

    def take(self, record: Record) -> None:
        """Of a review that was sent again the newest version stands, also one that says nothing."""
        self._offsets[record.partition] = record.offset + 1
        review = review_in(record, self._tenant)
        if review is None:
            return
        name, good = ((review.tenant, review.shopper), review.review_id), label_of(review)
        if good is None:
            self._by_review.pop(name, None)
            return
        text = ReviewText(review.title, review.text)
        self._by_review[name] = Rated(record.timestamp, review.time_ms, text, good)
        if len(self._by_review) > _SPARE * self._most:
            self._by_review = dict(self._newest_first()[: 2 * self._most])

    def learnable(self, marks: Marks) -> tuple[Reviews, ReviewWindow]:
        """One review of each shopper, the newest: so nobody teaches twice, and a word that one
        shopper alone writes is in no version (term_table.LEAST_REVIEWS)."""
        newest: dict[Shopper, Rated] = {}
        erased = 0
        for (shopper, _), rated in self._newest_first():
            if min(rated.time_ms, rated.log_ms) <= marks.get(shopper, -1):
                erased += 1
            else:
                newest.setdefault(shopper, rated)
        chosen = [*newest.values()][: self._most]
        times = [rated.log_ms for rated in chosen]
        window = ReviewWindow(
            offsets=dict(sorted(self._offsets.items())),
            first_log_ms=min(times, default=0),
            last_log_ms=max(times, default=0),
            rated=len(self._by_review),
            erased=erased,
            learnt=len(chosen),
        )
        return _as_reviews(chosen), window

    def _newest_first(self) -> list[tuple[tuple[Shopper, str], Rated]]:
        return sorted(self._by_review.items(), key=lambda found: found[1].log_ms, reverse=True)


def _as_reviews(chosen: list[Rated]) -> Reviews:
    return Reviews(
        tuple(rated.text for rated in chosen),
        np.array([rated.good for rated in chosen], dtype=np.int64),
        (SHOP,) * len(chosen),
    )
