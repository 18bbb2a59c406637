"""Which list what a shopper did goes back to; pure.

A place of a list counts once as seen, once as clicked, once as bought, however often it is told.
What carries the id of a list goes back to that list; what carries none goes to the newest list
before it that had the item. Either within WINDOW_MS of the event that the list answered."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec
from msgspec import Struct

from millstream.attribution.enrolment import Enrolments, Made
from millstream.domain.events import Event, EventType
from millstream.domain.identity import ShopperName, event_digest
from millstream.domain.lists import RecommendationList

WINDOW_MS = 24 * 3600 * 1000
HELD_LISTS = 8
"""Of a shopper, the newest; what goes back to an older one is counted as `unknown`."""
HELD_EVENTS = 32
"""Ids of a shopper's newest events, by which a repeat is told."""


class Outcome(StrEnum):
    LISTS = "lists"
    PLACES = "places"
    SEEN = "seen"
    CLICKED = "clicked"
    BOUGHT = "bought"
    SEEN_CLICKED = "seen_clicked"
    """Both, in whichever order."""
    UNKNOWN = "unknown"
    """Carried the id of a list that is not held: too old, or made for one request."""
    FRESHNESS = "freshness"


class Way(StrEnum):
    CARRIED = "carried"
    WINDOW = "window"


_OF: Mapping[EventType, Outcome] = {
    EventType.VIEW_ITEM_LIST: Outcome.SEEN,
    EventType.VIEW_ITEM: Outcome.CLICKED,
    EventType.SELECT_ITEM: Outcome.CLICKED,
    EventType.PURCHASE: Outcome.BOUGHT,
}

_BOTH = {Outcome.SEEN: Outcome.CLICKED, Outcome.CLICKED: Outcome.SEEN}

Field = tuple[str, ...]
"""Outcome, model version, variant; for all but lists also source, then the way for what was done.
Of freshness: outcome and the bucket's upper edge in ms. Of unknown: which outcome it was."""
Of = tuple[str, str]
"""Tenant and day (of the list), as 20261129."""


class Held(Struct, array_like=True):
    """A list that went out, and the places counted of it, by outcome."""

    recommendation_id: str
    version: str
    variant: str
    log_ms: int
    items: list[str]
    sources: list[str]
    counted: dict[str, list[int]]


class Standing(Struct, array_like=True):
    """What is remembered of a shopper, the newest first."""

    lists: list[Held]
    events: list[bytes]


class Deed(NamedTuple):
    name: ShopperName
    outcome: Outcome
    way: Way
    log_ms: int


_decode = msgspec.msgpack.Decoder(Standing).decode
_encode = msgspec.msgpack.Encoder().encode


class Joiner:
    """For one portion of a partition. `known`: what is held of each shopper that it names."""

    def __init__(
        self,
        known: Mapping[ShopperName, bytes | None],
        enrolled: Mapping[ShopperName, bytes | None] | None = None,
    ) -> None:
        self.enrolments = Enrolments(dict.fromkeys(known) if enrolled is None else enrolled)
        self._of_experiments = {
            Outcome.SEEN: self.enrolments.saw,
            Outcome.CLICKED: self.enrolments.clicked,
            Outcome.SEEN_CLICKED: self.enrolments.hit,
        }
        self._standing = {
            name: Standing([], []) if packed is None else _decode(packed)
            for name, packed in known.items()
        }
        self.counts: dict[Of, Counter[Field]] = defaultdict(Counter)
        self.listed: dict[Of, Counter[str]] = defaultdict(Counter)
        """Of each item the places in lists."""

    def packed(self) -> Iterator[tuple[ShopperName, bytes | None]]:
        """What is to be held from now on; None of whom nothing is."""
        for name, standing in self._standing.items():
            yield name, _encode(standing) if standing.lists else None

    def forget(self, name: ShopperName) -> None:
        self._standing[name] = Standing([], [])
        self.enrolments.forget(name)

    def shown(self, made: RecommendationList) -> None:
        """Twice is harmless while the list is held."""
        standing = self._standing[made.tenant, made.user]
        if any(held.recommendation_id == made.recommendation_id for held in standing.lists):
            return
        log_ms = _ms(made.log_time)
        held = Held(
            made.recommendation_id,
            made.model_version,
            made.variant,
            log_ms,
            [item.item_id for item in made.items],
            [str(item.source) for item in made.items],
            {},
        )
        standing.lists = [held, *standing.lists][:HELD_LISTS]
        self.enrolments.listed((made.tenant, made.user), made.variant, log_ms)
        counts = self.counts[made.tenant, _day(log_ms)]
        counts[Outcome.LISTS, held.version, held.variant] += 1
        for source in held.sources:
            counts[Outcome.PLACES, held.version, held.variant, source] += 1
        counts[Outcome.FRESHNESS, edge_of(_ms(made.published_at) - log_ms)] += 1
        self.listed[made.tenant, _day(log_ms)].update(held.items)

    def acted(self, event: Event, log_ms: int) -> None:
        name = (event.tenant, event.shopper)
        if event.type is EventType.ERASE:
            self.forget(name)
            return
        if event.type is EventType.PURCHASE:
            self.enrolments.bought(name, log_ms)
        outcome, standing = _OF.get(event.type), self._standing[name]
        digest = event_digest(event.event_id)
        if outcome is None or not standing.lists or digest in standing.events:
            return
        standing.events = [digest, *standing.events][:HELD_EVENTS]
        within = [h for h in standing.lists if h.log_ms <= log_ms <= h.log_ms + WINDOW_MS]
        way = Way.WINDOW if event.recommendation_id is None else Way.CARRIED
        if way is Way.CARRIED:
            within = [h for h in within if h.recommendation_id == event.recommendation_id]
            if not within:
                self.counts[event.tenant, _day(log_ms)][Outcome.UNKNOWN, str(outcome)] += 1
        elif outcome is Outcome.SEEN:
            return  # a list of the shop's own, as far as we know
        else:  # the list that answers this very event has its time
            within = [h for h in within if h.log_ms < log_ms]
        for line in event.items:
            self._count(Deed(name, outcome, way, log_ms), line.item_id, within)

    def _count(self, deed: Deed, item_id: str, lists: list[Held]) -> None:
        outcome = deed.outcome
        for held in lists:
            if item_id in held.items:
                place = held.items.index(item_id)
                counted = held.counted.setdefault(str(outcome), [])
                if place not in counted:
                    counted.append(place)
                    self._add(deed, held, place, outcome)
                    other = _BOTH.get(outcome)
                    if other is not None and place in held.counted.get(str(other), ()):
                        self._add(deed, held, place, Outcome.SEEN_CLICKED)
                return

    def _add(self, deed: Deed, held: Held, place: int, outcome: Outcome) -> None:
        field = (outcome, held.version, held.variant, held.sources[place], deed.way)
        self.counts[deed.name[0], _day(held.log_ms)][tuple(map(str, field))] += 1
        enrol = self._of_experiments.get(outcome)
        if enrol is not None:
            enrol(deed.name, Made(held.variant, held.log_ms), deed.log_ms)


EDGES_MS = tuple(round(10 * 2 ** (step / 2)) for step in range(33))
"""10 ms to some eleven minutes, two in each doubling."""


def edge_of(ms: int) -> str:
    """The upper edge of its bucket, `inf` of the last, which has all that is longer."""
    return next((str(edge) for edge in EDGES_MS if ms <= edge), "inf")


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _day(log_ms: int) -> str:
    return f"{datetime.fromtimestamp(log_ms / 1000, UTC):%Y%m%d}"
