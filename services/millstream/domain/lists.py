"""What a shopper gets: a ranked list that says where each item comes from and why."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.events import Id, Tenant, Timestamp


class Source(StrEnum):
    """Which candidate source proposed an item."""

    REPEAT = "repeat"
    COVISITED = "covisited"
    EMBEDDING = "embedding"
    POPULAR = "popular"
    NEW = "new"
    RULE = "rule"
    """A merchandising rule puts the item there."""
    EXPLORE = "explore"
    """Tried out, to learn about the item."""


class RankedItem(Struct, frozen=True, omit_defaults=True):
    """`propensity`: the chance with which an item that is tried out was the one; 1 for what stands
    there for its score. By it clicks can be weighted without bias."""

    item_id: Id
    score: float
    source: Source
    reason: str
    propensity: Annotated[float, Meta(gt=0, le=1)] = 1.0


class Origin(Struct, frozen=True):
    """The event that the list answers, by its place in the log."""

    topic: str
    partition: int
    offset: int


class RecommendationList(Struct, frozen=True, kw_only=True):
    """Of two lists for one shopper the one with the greater `log_time`, `origin.partition`,
    `origin.offset` counts (`freshness`). Made by the merchandising rules of its moment: a rule
    that changes later shows on the topic with the shopper's next event, over HTTP within 2 s."""

    recommendation_id: Id
    tenant: Tenant
    user: Annotated[
        str, Meta(min_length=1, max_length=129, description="`~` before an anonymous id")
    ]
    variant: Annotated[str, Meta(description="That of an experiment, else MILLSTREAM_VARIANT")]
    items: Annotated[tuple[RankedItem, ...], Meta(description="The best first")]
    model_version: str
    settings_digest: Annotated[str, Meta(description="Alike where the ranking's settings are")]
    origin: Origin
    event_time: Annotated[Timestamp, Meta(description="When the shopper did it")]
    log_time: Annotated[Timestamp, Meta(description="When it came to the log")]
    published_at: Timestamp

    @property
    def freshness(self) -> tuple[int, int, int]:
        """(log time in ms, partition, offset): the order in which newest wins."""
        return (
            int(self.log_time.timestamp() * 1000),
            self.origin.partition,
            self.origin.offset,
        )


def recommendation_id(tenant: str, user: str, origin: Origin) -> str:
    """The same event gives the same id, so a list published twice is recognised as one."""
    text = f"{tenant}\n{user}\n{origin.topic}\n{origin.partition}\n{origin.offset}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
