"""RetailRocket's rows (user, item, event, timestamp) as events, in time order.

view -> view_item, cart -> add_to_cart, buy -> purchase. The data hold one row per user, item
and kind, so the event id is made of the three. A row is refused, and counted by reason, when
its kind is none of the three ("kind"), its time is not a whole number of seconds ("time"), an id
is not one the wire takes ("id"), or it repeats a row's user, item and kind ("repeated")."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.errors import OperatorError
from millstream.domain.events import MAX_ID_CHARS, Event, EventType, Line, is_clean_id

KINDS = {
    "view": EventType.VIEW_ITEM,
    "cart": EventType.ADD_TO_CART,
    "buy": EventType.PURCHASE,
}
COLUMNS = ["user", "item", "event", "timestamp"]
_LONGEST_PART = MAX_ID_CHARS // 3  # so that the event id made of the parts is short enough


class Row(NamedTuple):
    user: str
    item: str
    kind: str
    timestamp: str


def read_rows(data: Path) -> Iterator[Row]:
    """Rows as they stand in events.csv or events.csv.gz of the folder `data`; blocks.

    Raises OperatorError when there is no such file or its columns are others."""
    found = [path for name in ("events.csv", "events.csv.gz") if (path := data / name).is_file()]
    if not found:
        raise OperatorError("--data", str(data), "a folder with events.csv or events.csv.gz")
    opened = gzip.open if found[0].suffix == ".gz" else open
    with opened(found[0], "rt", encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        header = next(rows, [])
        if header != COLUMNS:
            raise OperatorError(found[0].name, f"columns {header}", f"columns {COLUMNS}")
        for number, row in enumerate(rows, start=2):
            if len(row) != len(COLUMNS):
                raise OperatorError(
                    f"{found[0].name} line {number}", f"{len(row)} columns", f"{len(COLUMNS)}"
                )
            yield Row(*row)


def bought(rows: Iterable[Row]) -> frozenset[tuple[str, str]]:
    """(shopper, item) of every purchase: the cases of `scoring.by_item` that have an answer."""
    return frozenset((row.user, row.item) for row in rows if row.kind == "buy")


class RetailRocketReplay:
    """One pass over the rows; `refused` counts rows by reason as it goes."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()

    def stream(self, rows: Iterable[Row]) -> Iterator[CatalogueItem | Event]:
        """Events in time order (rows of the same second keep theirs), each item's entry first."""
        told: set[str] = set()
        for event in sorted(self._accepted(rows), key=lambda event: event.time):
            (line,) = event.items
            if line.item_id not in told:
                told.add(line.item_id)
                yield CatalogueItem(item_id=line.item_id, added_at=event.time)
            yield event

    def _accepted(self, rows: Iterable[Row]) -> Iterator[Event]:
        seen: set[str] = set()
        for row in rows:
            reason = refusal_of(row)
            event_id = f"rr-{row.user}-{row.item}-{row.kind}"
            if reason is None and event_id in seen:
                reason = "repeated"
            if reason is not None:
                self.refused[reason] += 1
                continue
            seen.add(event_id)
            yield Event(
                event_id=event_id,
                type=KINDS[row.kind],
                time=datetime.fromtimestamp(int(row.timestamp), UTC),
                user_id=row.user,
                items=(Line(row.item),),
            )


def refusal_of(row: Row) -> str | None:
    if row.kind not in KINDS:
        return "kind"
    if not (row.timestamp.isascii() and row.timestamp.isdigit()) or len(row.timestamp) > 10:
        return "time"
    for value in (row.user, row.item):
        if not 0 < len(value) <= _LONGEST_PART or not is_clean_id(value) or value[0] == "~":
            return "id"
    return None
