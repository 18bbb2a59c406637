"""What is told of a list."""

from __future__ import annotations

from msgspec import Struct

from millstream.domain.lists import Source


class AnsweredItem(Struct, frozen=True, omit_defaults=True):
    """`reason` stands where the list was asked for with `explain`, or made for the request."""

    item_id: str
    score: float
    source: Source
    reason: str | None = None


class RecentItem(Struct, frozen=True):
    item_id: str
    type: str
    time_ms: int


class Explanation(Struct, frozen=True):
    """What is known of the shopper, by which lists are made; and how many candidates each rule of
    policy took out just now."""

    recent: tuple[RecentItem, ...]
    bought: tuple[str, ...]
    counts: dict[str, int]
    removed: dict[str, int]


class Answer(Struct, frozen=True, omit_defaults=True):
    """`user`: as the request had it, none of a session. `recommendation_id`: to be sent back with
    what the shopper does with the list. `variant`: as on the topic: that of an experiment, else
    MILLSTREAM_VARIANT. `stale`: from the gateway's memory, since Redis is away; without a list of
    the shopper's own it is the popular one."""

    recommendation_id: str
    model_version: str
    variant: str
    items: tuple[AnsweredItem, ...]
    user: str | None = None
    stale: bool = False
    explanation: Explanation | None = None
