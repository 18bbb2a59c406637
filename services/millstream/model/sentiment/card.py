"""A review model's card as data, as model/card.py makes one of embeddings."""

from __future__ import annotations

from msgspec import Struct

from millstream.domain.events import Timestamp
from millstream.model.manifest import Occasion, Provenance, Quality
from millstream.model.sentiment.artifact import WORDS
from millstream.model.sentiment.manifest import (
    ReviewData,
    ReviewGroup,
    ReviewKind,
    ReviewManifest,
    ReviewWindow,
)


class ReviewCard(Struct, frozen=True):
    tenant: str
    model: str
    version: int
    created_at: Timestamp
    quality: Quality
    groups: tuple[ReviewGroup, ...]
    reviews: ReviewData
    window: ReviewWindow | None
    provenance: Provenance
    occasion: Occasion | None
    kind: ReviewKind
    words: int


def review_card_of(manifest: ReviewManifest) -> ReviewCard:
    return ReviewCard(
        manifest.tenant,
        manifest.model,
        manifest.version,
        manifest.created_at,
        manifest.quality,
        manifest.groups,
        manifest.reviews,
        manifest.window,
        manifest.provenance,
        manifest.occasion,
        manifest.kind,
        manifest.lists[WORDS].length,
    )
