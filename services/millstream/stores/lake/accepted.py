"""What the recommenders accepted, worked out again from the raw records by the same rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from millstream.domain.acceptance import WINDOW_MS, accept
from millstream.domain.events import Event, EventType, country_of
from millstream.domain.log import LogRecord
from millstream.domain.replayed import OriginOf, no_origin
from millstream.stores.lake.read import records

ACCEPTED_SCHEMA: dict[str, pl.DataType] = {
    "user": pl.String(),
    "event_id": pl.String(),
    "type": pl.String(),
    "item": pl.String(),
    "price": pl.Float64(),
    "quantity": pl.Int64(),
    "time_ms": pl.Int64(),
    "log_ms": pl.Int64(),
    "country": pl.String(),
}
_TOLD_ERASED = ("user", "time_ms", "log_ms")
"""The columns by which the lines of the erased are found."""
_ROWS_AT_ONCE = 20_000

Row = tuple[str, str, str, str, float | None, int, int, int, str | None]
"""The columns of ACCEPTED_SCHEMA, in their order."""


@dataclass(frozen=True, slots=True)
class AcceptedCounts:
    """Events by partition and by (tenant, shopper, type); item lines by partition and by
    (tenant, item, type). Types as on the wire. An erase empties its shopper and is itself
    counted by partition alone; what the shopper did stays in the other three, as in Redis."""

    events: Counter[int] = field(default_factory=Counter)
    lines: Counter[int] = field(default_factory=Counter)
    shoppers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    items: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def read_accepted(
    root: Path,
    topic: str,
    tenant: str,
    since_log_ms: int | None = None,
    origin_of: OriginOf = no_origin,
    columns: Sequence[str] = tuple(ACCEPTED_SCHEMA),
) -> pl.DataFrame:
    """One row for each item line of an accepted event, `columns` of ACCEPTED_SCHEMA, in log-time
    order.

    The files are read one after the other, and of each nothing is kept but these columns: memory
    is that of the answer and of the few files that overlap in log time.

    With `since_log_ms` the rule starts WINDOW_MS earlier and the rows before `since_log_ms` are
    cut off, so a retry inside the window of an event before it is still known as one. What can
    differ from a reading of the whole lake: an id sent again with another event time, whose
    first copy lies more than WINDOW_MS before `since_log_ms`; a letter that was replayed before
    then and again later.
    `origin_of` tells replayed letters, which are judged by their first log time.
    What an erased shopper did before the erase is left out. May block on the disk."""
    erased: dict[str, int] = {}
    accepted = _accepted(root, topic, since_log_ms, origin_of)
    kept = [name for name in ACCEPTED_SCHEMA if name in {*columns, *_TOLD_ERASED}]
    shards = [shard.select(kept) for shard in _shards(accepted, tenant, erased)]
    empty = pl.DataFrame(schema=ACCEPTED_SCHEMA).select(kept)
    return _without(pl.concat([empty, *shards]), erased).select(columns)


def _shards(
    accepted: Iterable[tuple[LogRecord, Event]], tenant: str, erased: dict[str, int]
) -> Iterator[pl.DataFrame]:
    """Of ACCEPTED_SCHEMA, some _ROWS_AT_ONCE rows each; no more is read than the next one needs.
    Shoppers who are erased are put into `erased`, with the log time (ms)."""
    rows: list[Row] = []
    for record, event in accepted:
        if event.tenant != tenant:
            continue
        if event.type is EventType.ERASE:
            erased[event.shopper] = record.log_ms
        rows += _lines(record.log_ms, event)
        if len(rows) >= _ROWS_AT_ONCE:
            yield _frame(rows)
            rows = []
    yield _frame(rows)


def accepted_counts(root: Path, topic: str, origin_of: OriginOf = no_origin) -> AcceptedCounts:
    """Over the whole lake, every tenant: what Redis must hold once it has applied as much."""
    counts = AcceptedCounts()
    for record, event in _accepted(root, topic, None, origin_of):
        counts.events[record.partition] += 1
        counts.lines[record.partition] += len(event.items)
        if event.type is EventType.ERASE:
            for kind in EventType:
                counts.shoppers.pop((event.tenant, event.shopper, kind), None)
            continue
        counts.shoppers[event.tenant, event.shopper, event.type] += 1
        for line in event.items:
            counts.items[event.tenant, line.item_id, event.type] += 1
    return counts


def _accepted(
    root: Path, topic: str, since_log_ms: int | None, origin_of: OriginOf
) -> Iterator[tuple[LogRecord, Event]]:
    earlier = None if since_log_ms is None else since_log_ms - WINDOW_MS
    for record, event in accept(records(root, topic, earlier), origin_of=origin_of):
        if since_log_ms is None or record.log_ms >= since_log_ms:
            yield record, event


def _lines(log_ms: int, event: Event) -> list[Row]:
    who = (event.shopper, event.event_id, event.type.value)
    when = (event.time_ms, log_ms, country_of(event))
    return [(*who, line.item_id, line.price, line.quantity, *when) for line in event.items]


def _without(rows: pl.DataFrame, erased: dict[str, int]) -> pl.DataFrame:
    """Without what the erased did at or before their erase (log time, ms), by either clock."""
    if not erased:
        return rows
    mark = pl.col("user").replace_strict(erased, default=None, return_dtype=pl.Int64)
    keep = pl.min_horizontal("time_ms", "log_ms") > mark
    return rows.filter(keep.fill_null(value=True))


def _frame(rows: list[Row]) -> pl.DataFrame:
    # By column: from rows Polars would build each of them twice.
    columns = zip(*rows, strict=True) if rows else ((),) * len(ACCEPTED_SCHEMA)
    return pl.DataFrame(dict(zip(ACCEPTED_SCHEMA, columns, strict=True)), schema=ACCEPTED_SCHEMA)
