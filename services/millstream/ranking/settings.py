"""How lists are made: every number that ranking uses, chosen by measurement on held-out time of
two shops, one whose customers come back for the same goods and one whose hardly do."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from millstream.domain.errors import OperatorError
from millstream.domain.experiments import SettingsChange
from millstream.domain.lists import Source

Count = Annotated[int, Meta(ge=0, le=1000)]
Share = Annotated[float, Meta(ge=0, le=1)]


class RankingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    list_length: Annotated[int, Meta(ge=1, le=200)] = 20
    per_category: Count = 20
    """At most so many items of one category in a list."""
    popular_places: Count = 20
    """At most so many of what sells best in a list; fewer than `list_length` bound its exposure."""
    popular_items: Count = 100
    """So many of the best sellers count as such."""
    bought_before: Count = 20
    """At most so many items that the shopper bought already."""
    looked_at: Count = 3
    """At most so many items that the shopper touched without buying them."""
    least_days_of_stock: Annotated[float, Meta(ge=0, le=365)] = 1.0
    """An item whose stock will not last so long is in no list, where the shop tells its stock and
    demand is forecast; 0: whatever it lasts."""
    least_reviews: Annotated[int, Meta(ge=1, le=100_000)] = 20
    """What buyers say of an item counts from so many reviews on."""
    most_disliked: Share = 1.0
    """An item that more of its reviewers dislike is in no list; 1: whatever they say."""
    liked_told: Share = 0.8
    """A reason tells which share of its reviewers likes an item, from this share on."""
    liked_weight: Annotated[float, Meta(ge=0, le=10)] = 0.0
    """What it adds to an item's score that all reviewers like it, and takes off it that none does;
    0: nothing."""
    variety: Share = 0.0
    """How much being unlike what stands before it counts beside an item's score; 0: not at all."""
    explore_place: Count = 0
    """The place in a list for an item of which little is known; 0: none."""
    candidates: Annotated[int, Meta(ge=1, le=1000)] = 60
    """At most so many of each source."""
    recent_items: Count = 24
    """So many of the newest items lead to further ones."""
    recency: Share = 0.7
    """An item touched one event earlier leads this much less to further ones."""
    repeat_recency: Share = 0.99
    """An item touched one place earlier is itself proposed with this much less strength."""
    learnt_blend: bool = True
    """What sources are worth beside each other is as the model's version learnt it, if it did;
    false: as the weights below say alone."""
    weights: dict[Source, float] = msgspec.field(
        default_factory=lambda: {
            Source.REPEAT: 1.0,
            Source.COVISITED: 1.0,
            Source.EMBEDDING: 0.25,
            Source.POPULAR: 0.2,
            Source.NEW: 0.02,
        }
    )
    """What a strength of 1 of the source adds to the score. Under a model with a learnt blend each
    counts by its ratio to the usual one above: twice it doubles what the source adds, 0 silences
    it."""

    def changed(self, change: SettingsChange | None) -> RankingSettings:
        if change is None:
            return self
        said = {
            name: value
            for name in SettingsChange.__struct_fields__
            if (value := getattr(change, name)) is not None
        }
        if change.weights is not None:
            said["weights"] = {**self.weights, **change.weights}
        return msgspec.structs.replace(self, **said)

    def digest(self) -> str:
        """12 hex digits that stand on every list made with these settings."""
        packed = msgspec.json.encode(self, order="sorted")
        return hashlib.sha256(packed).hexdigest()[:12]


def read_ranking(path: Path | None, base: RankingSettings | None = None) -> RankingSettings:
    """`base` (None: the defaults) with what the file says; weights that it does not name stay.
    Raises OperatorError."""
    base = base or RankingSettings()
    if path is None:
        return base
    thing = f"ranking settings {path}"
    try:
        raw = path.read_bytes()
    except OSError as error:
        found = error.strerror or type(error).__name__
        raise OperatorError(thing, found, "a JSON file that can be read") from None
    try:
        read = msgspec.json.decode(raw, type=RankingSettings)
        said = {name: getattr(read, name) for name in msgspec.json.decode(raw)}
    except (msgspec.MsgspecError, ValueError) as error:
        expected = "fields of ranking/settings.py, within their bounds"
        raise OperatorError(thing, str(error), expected) from None
    weights = {**base.weights, **said.pop("weights", {})}
    return msgspec.structs.replace(base, weights=weights, **said)
