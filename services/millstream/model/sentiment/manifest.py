"""What a version of a review model says of itself, beside what every version does."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from millstream.model.manifest import Count, ManifestHead, decode_as, decode_manifest

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


class ReviewManifest(ManifestHead, frozen=True, kw_only=True):
    kind: ReviewKind
    reviews: ReviewData


class _Told(Struct):
    kind: str | None = None


def decode_review_manifest(raw: bytes) -> ReviewManifest:
    """Raises ArtifactRefused for what is not a manifest of a review model."""
    return decode_as(ReviewManifest, raw)


def decode_any(raw: bytes) -> ManifestHead:
    """Whole, whichever kind it is; embeddings say no kind. Raises ArtifactRefused."""
    try:
        told = msgspec.json.decode(raw, type=_Told)
    except (msgspec.DecodeError, RecursionError):
        told = _Told()  # what is wrong with it is said below
    return decode_manifest(raw) if told.kind is None else decode_review_manifest(raw)
