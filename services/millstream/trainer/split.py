"""Stage 3: train, validation and test, one after the other in time; and the visits in a later
part that a list is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from millstream.domain.events import EventType
from millstream.features.recent_items import Touch as StoredTouch
from millstream.trainer.settings import Measuring

Touch = tuple[str, str, int]
"""Item, event type, event time in ms."""


@dataclass(frozen=True, slots=True)
class Parts:
    """(n, 6) each, as stage 2 gives them; every time in one part is below those of the next."""

    train: pl.DataFrame
    validation: pl.DataFrame
    test: pl.DataFrame

    @property
    def before_test(self) -> pl.DataFrame:
        return pl.concat([self.train, self.validation])


@dataclass(frozen=True, slots=True)
class Query:
    """A visit: what the shopper had touched before it, newest first, and what it then held."""

    user: str
    at_ms: int
    recent: tuple[Touch, ...]
    wanted: frozenset[str]

    @property
    def recent_items(self) -> list[str]:
        return [item for item, _, _ in self.recent]

    @property
    def touches(self) -> tuple[StoredTouch, ...]:
        """As recommenders have them."""
        return tuple(StoredTouch(item, EventType(kind), ms) for item, kind, ms in self.recent)


def split_by_time(lines: pl.DataFrame, rule: Measuring, seen_until_ms: int | None = None) -> Parts:
    """Shares are of lines; a cut never parts lines of the same time, so no event is cut in two.

    The test part begins later where a version in service has seen lines up to `seen_until_ms`: on
    what it learnt from it would look better than it is. It is empty where nothing is later."""
    times = lines["time_ms"].to_numpy()
    first_test = _cut(times, len(times) * (1 - rule.test_share))
    first_unseen = first_test
    if seen_until_ms is not None:
        first_unseen = max(first_test, int(np.searchsorted(times, seen_until_ms, side="right")))
    trained = len(times) * (1 - rule.test_share - rule.validation_share)
    first_validation = _cut(times, trained + first_unseen - first_test)
    return Parts(
        lines[:first_validation], lines[first_validation:first_unseen], lines[first_unseen:]
    )


def split_fresh(lines: pl.DataFrame, seen_until_ms: int) -> Parts:
    """Where a version goes on from one that has seen the lines until then: the first half of those
    after them is learnt from, behind what was seen, and the second is the test."""
    times = lines["time_ms"].to_numpy()
    first_fresh = int(np.searchsorted(times, seen_until_ms, side="right"))
    first_test = _cut(times, (first_fresh + len(times)) / 2)
    return Parts(lines[:first_test], lines[first_test:first_test], lines[first_test:])


def _cut(times: np.ndarray[tuple[int], np.dtype[np.int64]], lines: float) -> int:
    place = min(int(lines), len(times) - 1)
    return int(np.searchsorted(times, times[place], side="left")) if len(times) else 0


def queries(before: pl.DataFrame, part: pl.DataFrame, rule: Measuring) -> list[Query]:
    """One for each visit in `part` that bought something, in order of time; where nobody bought
    anything, one for each visit, wanting whatever it touched.

    The list is asked for before the visit's first event, since its looks give the purchase away.
    At most `max_queries`, drawn evenly by the rule's seed."""
    found = list(_visits(before, part, rule))
    bought = [query for query, purchases in found if purchases]
    return _drawn(bought or [query for query, _ in found], rule)


def inner_queries(before: pl.DataFrame, part: pl.DataFrame, rule: Measuring) -> list[Query]:
    """One for each event inside a visit with items that the shopper's newest do not have: a list is
    made after every event, and that is what it is asked for then. At most `max_queries`, drawn
    evenly by the rule's seed."""
    found = []
    for query, is_inside in _events(before, part, rule):
        wanted = query.wanted.difference(query.recent_items)
        if is_inside and wanted:
            found.append(replace(query, wanted=wanted))
    return _drawn(found, rule)


def next_queries(before: pl.DataFrame, part: pl.DataFrame, rule: Measuring) -> list[Query]:
    """One for each event with all that it touches, known or new: what the list made after the
    event before it should have held. At most `max_queries`, drawn evenly by the rule's seed."""
    return _drawn([query for query, _ in _events(before, part, rule)], rule)


def _events(
    before: pl.DataFrame, part: pl.DataFrame, rule: Measuring
) -> Iterator[tuple[Query, bool]]:
    """(query, whether it is inside a visit) of each event, wanting its items."""
    recent, last_ms = _recent_touches(before, rule.recent_items), dict[str, int]()
    events = part.group_by("event_id", maintain_order=True).agg(
        pl.col("user", "type", "time_ms").first(), pl.col("item")
    )
    for _, user, kind, time_ms, items in events.rows():
        known = recent.get(user, ())
        is_inside = user in last_ms and time_ms - last_ms[user] <= rule.visit_gap_ms
        yield Query(user, time_ms, known, frozenset(items)), is_inside
        touched = [(item, kind, time_ms) for item in reversed(items)]
        recent[user] = _newest((*touched, *known), rule.recent_items)
        last_ms[user] = time_ms


def evenly(found: Sequence[Query], most: int) -> list[Query]:
    """At most so many, from everywhere alike."""
    step = max(1, -(-len(found) // most))
    return list(found[::step])


def _drawn(found: list[Query], rule: Measuring) -> list[Query]:
    if len(found) <= rule.max_queries:
        return found
    rng = np.random.default_rng(rule.seed)
    drawn = rng.choice(len(found), rule.max_queries, replace=False)
    return [found[place] for place in np.sort(drawn)]


def _visits(
    before: pl.DataFrame, part: pl.DataFrame, rule: Measuring
) -> Iterator[tuple[Query, bool]]:
    """(query, whether the visit bought); a buying visit wants what it bought."""
    pause = pl.col("time_ms").diff().over("user").fill_null(0) > rule.visit_gap_ms
    visit = pause.cast(pl.Int32).cum_sum().over("user")
    grouped = (
        part.with_columns(visit.alias("visit"))
        .group_by("user", "visit", maintain_order=True)
        .agg("item", "type", "time_ms")
    )
    recent = _recent_touches(before, rule.recent_items)
    for user, _, items, types, times in grouped.rows():
        known = recent.get(user, ())
        bought = {i for i, t in zip(items, types, strict=True) if t == EventType.PURCHASE}
        yield Query(user, times[0], known, frozenset(bought or items)), bool(bought)
        touched = list(zip(items, types, times, strict=True))[::-1]
        recent[user] = _newest((*touched, *known), rule.recent_items)


def _recent_touches(lines: pl.DataFrame, bound: int) -> dict[str, tuple[Touch, ...]]:
    newest = lines.reverse().unique(["user", "item"], keep="first", maintain_order=True)
    grouped = newest.group_by("user").agg(pl.col("item", "type", "time_ms").head(bound))
    return {
        user: tuple(zip(items, types, times, strict=True))
        for user, items, types, times in grouped.rows()
    }


def _newest(touches: tuple[Touch, ...], bound: int) -> tuple[Touch, ...]:
    once: dict[str, Touch] = {}
    for touch in touches:
        once.setdefault(touch[0], touch)
    return tuple(once.values())[:bound]
