"""Events as questions: what a shopper's event wants, and all that was known of the shopper then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from millstream.domain.deriving import EVENT_WEIGHT
from millstream.domain.events import Event
from millstream.features.recent_items import BOUGHT_ITEMS, RECENT_ITEMS, Touch
from millstream.features.writes import UserFeature

Touches = tuple[Touch, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Accepted events in time order. What is before `split` is only learnt; each later event is a
    question first. `min_earlier`: shoppers with fewer
    events behind them are not asked about."""

    name: str
    events: Sequence[Event]
    split: int
    min_earlier: int = 0
    visit_gap_ms: int = 30 * 60_000
    """A longer pause ends a visit."""
    notes: tuple[str, ...] = ()
    """What was assumed in making events of the files."""


@dataclass(frozen=True, slots=True)
class Row:
    """`recent`, `bought`: before the event, newest first, as the recommenders keep them.
    `wanted`: the event's items, each once; empty for a type that feeds nothing."""

    event: Event
    shopper: str
    time_ms: int
    recent: Touches
    bought: Touches
    wanted: tuple[str, ...]
    earlier: int
    """Events of the shopper before this one that wanted something."""


def rows_of(events: Iterable[Event]) -> Iterator[Row]:
    recent: dict[str, Touches] = {}
    bought: dict[str, Touches] = {}
    earlier = Counter[str]()
    for event in events:
        shopper, time_ms = event.shopper, event.time_ms
        items = tuple(dict.fromkeys(line.item_id for line in event.items))
        wanted = items if event.type in EVENT_WEIGHT else ()
        yield Row(
            event,
            shopper,
            time_ms,
            recent.get(shopper, ()),
            bought.get(shopper, ()),
            wanted,
            earlier[shopper],
        )
        earlier[shopper] += bool(wanted)
        front = tuple(Touch(item, event.type, time_ms // 1000 * 1000) for item in items)
        _push(recent, RECENT_ITEMS, event, front)
        _push(bought, BOUGHT_ITEMS, event, front)


def _push(
    kept: dict[str, Touches], feature: UserFeature[Touches], event: Event, front: Touches
) -> None:
    if event.type not in feature.on:
        return
    again = {touch.item_id for touch in front}
    older = tuple(t for t in kept.get(event.shopper, ()) if t.item_id not in again)
    kept[event.shopper] = (front + older)[: feature.args[0]]
