"""How lists are made: every number that ranking uses, chosen by measurement."""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Struct

from millstream.domain.lists import Source


class RankingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    list_length: int = 20
    per_category: int = 20
    """At most so many items of one category in a list."""
    candidates: int = 100
    """At most so many of each source."""
    recent_items: int = 12
    """So many of the newest items lead to further ones."""
    recency: float = 0.85
    """An item one place further back weighs this much of the one before it."""
    weights: dict[Source, float] = msgspec.field(
        default_factory=lambda: {
            Source.REPEAT: 0.5,
            Source.COVISITED: 1.0,
            Source.EMBEDDING: 0.5,
            Source.POPULAR: 0.2,
            Source.NEW: 0.02,
        }
    )
    """What a strength of 1 of the source adds to the score."""

    def digest(self) -> str:
        """12 hex digits that stand on every list made with these settings."""
        packed = msgspec.json.encode(self, order="sorted")
        return hashlib.sha256(packed).hexdigest()[:12]
