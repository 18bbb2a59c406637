"""What a version of a review model says of itself, beside what every version does."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from millstream.model.manifest import (
    Count,
    Interval,
    Manifest,
    ManifestHead,
    Occasion,
    decode_as,
    decode_manifest,
)

MODEL = "sentiment"
"""The name of review models in the store, under the pointer and in announcements."""


class ReviewKind(StrEnum):
    """Which files a version has, and what reads them."""

    LINEAR = "linear"
    LSTM = "lstm"


class ReviewData(Struct, frozen=True, forbid_unknown_fields=True):
    """The labelled reviews. Those of one text are dealt together into `folds` by the text alone;
    `held_out` of them, the first fold, were measured on and are in no version. `good` and `bad`
    count all, `domains` those of the largest domains."""

    good: Count
    bad: Count
    domains: dict[str, Count]
    folds: Annotated[int, Meta(ge=2)]
    held_out: Count

    @property
    def learnt(self) -> int:
        return self.good + self.bad - self.held_out


class ReviewWindow(Struct, frozen=True, forbid_unknown_fields=True):
    """What the topic of reviews had when a version learnt: the next offset of each partition, log
    times in ms, both inclusive (0 of nothing), and how many of its reviews were rated good or bad.
    Of these `erased` were of shoppers to be forgotten; `learnt` is what came into the version."""

    offsets: dict[int, int]
    first_log_ms: int
    last_log_ms: int
    rated: Count
    erased: Count
    learnt: Count


PROBABILITY = "probability"
"""The kind of those groups that are made by what the version gave."""


class Figure(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`interval`: None where there were too few reviews for one."""

    value: float
    interval: Interval | None = None


class ReviewGroup(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Held-out reviews that have something in common: label, domain, length, a title, or the
    probability that the version gave. `accuracy`: the share that it was right on. `gap`: its mean
    probability of a good one less the share of good ones. `calibration_error`: None of a group
    that is made by the label or by the probability, of which it would say nothing."""

    kind: str
    """Empty of all of them."""

    name: str
    reviews: Count
    accuracy: Figure
    gap: Figure
    calibration_error: Figure | None = None


class ReviewManifest(ManifestHead, frozen=True, kw_only=True):
    """`window` and `occasion`: None where labelled reviews alone were given, by an operator.
    `groups`: who of the held-out reviews was judged how well; older versions tell of none."""

    kind: ReviewKind
    reviews: ReviewData
    window: ReviewWindow | None = None
    occasion: Occasion | None = None
    groups: tuple[ReviewGroup, ...] = ()


AnyManifest = Manifest | ReviewManifest


class _Told(Struct):
    kind: str | None = None


def decode_review_manifest(raw: bytes) -> ReviewManifest:
    """Raises ArtifactRefused for what is not a manifest of a review model."""
    return decode_as(ReviewManifest, raw)


def decode_any(raw: bytes) -> AnyManifest:
    """Whole, whichever kind it is; embeddings say no kind. Raises ArtifactRefused."""
    try:
        told = msgspec.json.decode(raw, type=_Told)
    except (msgspec.DecodeError, RecursionError):
        told = _Told()  # what is wrong with it is said below
    return decode_manifest(raw) if told.kind is None else decode_review_manifest(raw)
