"""UCI Online Retail as the storefront would have told it: invoices to events, in time order.

Purchases are as they happened. One event per invoice, split after 200 lines; no customer means
an anonymous shopper named by the invoice. The first rule that fits a line decides:
price <= 0 -> skipped and counted; an item id that the wire refuses -> skipped and counted;
an invoice that begins with C, or a negative quantity -> refund; else purchase.

Browse events are made by `browse_events`, whose docstring is the rule, and say so:
context = {"simulated": true}."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import (
    MAX_ID_CHARS,
    MAX_ITEMS,
    Event,
    EventType,
    Line,
    is_clean_id,
)
from millstream.local.online_retail_catalogue import NOT_GOODS, catalogue_item
from millstream.local.prepare import SHIPPED, read_lines

VIEWED_AND_BOUGHT = 2
DEMO_UNTIL = date(2011, 5, 1)


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    item_id: str
    title: str
    quantity: int
    price: float


@dataclass(frozen=True, slots=True)
class Invoice:
    number: str
    customer: int | None
    time: datetime
    lines: tuple[InvoiceLine, ...]

    @property
    def user_id(self) -> str | None:
        return None if self.customer is None else str(self.customer)

    @property
    def anonymous_id(self) -> str | None:
        return self.number if self.customer is None else None


def read_invoices(path: Path = SHIPPED, until: date | None = None) -> Iterator[Invoice]:
    """Invoices in the order of their first line, those that begin before `until`; blocks.

    An invoice's time is that of its first line (43 invoices run into a second minute)."""
    return _invoices(pl.scan_parquet(path), until)


def _invoices(lines: pl.LazyFrame, until: date | None = None) -> Iterator[Invoice]:
    invoices = lines.group_by("invoice", maintain_order=True).agg(
        pl.col("customer").first(),
        pl.col("time").first().dt.replace_time_zone("UTC"),
        "item_id",
        pl.col("description").fill_null("").str.strip_chars(),
        "quantity",
        "price",
    )
    if until is not None:
        invoices = invoices.filter(pl.col("time") < datetime.combine(until, time(), UTC))
    for number, customer, at, *columns in invoices.collect().iter_rows():
        parts = zip(*columns, strict=True)
        yield Invoice(number, customer, at, tuple(InvoiceLine(*line) for line in parts))


def line_type(invoice: Invoice, line: InvoiceLine) -> EventType | str:
    """The event that a line belongs to, or why it is skipped: "price" or "item_id"."""
    if line.price <= 0:
        return "price"
    if not 0 < len(line.item_id) <= MAX_ID_CHARS or not is_clean_id(line.item_id):
        return "item_id"
    if invoice.number.startswith("C") or line.quantity < 0:
        return EventType.REFUND
    return EventType.PURCHASE


def invoice_events(invoice: Invoice, skipped: Counter[str]) -> list[Event]:
    """Purchase parts, then refund parts, as or-<invoice>-<part>; adds to `skipped` by reason."""
    baskets: dict[EventType, list[Line]] = {EventType.PURCHASE: [], EventType.REFUND: []}
    for line in invoice.lines:
        kind = line_type(invoice, line)
        if isinstance(kind, EventType):
            basket = baskets[kind]
            basket.append(Line(line.item_id, abs(line.quantity), line.price, len(basket)))
        else:
            skipped[kind] += 1
    parts = [
        (kind, basket[start : start + MAX_ITEMS])
        for kind, basket in baskets.items()
        for start in range(0, len(basket), MAX_ITEMS)
    ]
    return [
        Event(
            event_id=f"or-{invoice.number}-{part}",
            type=kind,
            time=invoice.time,
            items=tuple(items),
            currency="GBP",
            session_id=f"or-{invoice.number}",
            transaction_id=invoice.number,
            user_id=invoice.user_id,
            anonymous_id=invoice.anonymous_id,
        )
        for part, (kind, items) in enumerate(parts)
    ]


def accepted_lines(source: Path) -> pl.DataFrame:
    """item, type, quantity and time_ms of what was bought and came back, from the publisher's
    CSV: the lines of `invoice_events`, but for those of no goods. Raises OperatorError; blocks."""
    rows = [
        (line.item_id, event.type.value, line.quantity, event.time_ms)
        for invoice in _invoices(read_lines(source).lazy())
        for event in invoice_events(invoice, Counter())
        for line in event.items
        if line.item_id not in NOT_GOODS
    ]
    return pl.DataFrame(rows, schema=["item", "type", "quantity", "time_ms"], orient="row")


def goods(invoices: Iterable[Invoice]) -> list[CatalogueItem]:
    """The catalogue that the replay tells of, in the order of first sale; without what is no
    goods, and what has no title."""
    found: dict[str, CatalogueItem] = {}
    for invoice in invoices:
        for line in invoice.lines:
            if line.item_id not in found and isinstance(line_type(invoice, line), EventType):
                found[line.item_id] = catalogue_item(
                    line.item_id, line.title, line.price, invoice.time
                )
    return [item for item in found.values() if not item.hidden and item.title != item.item_id]


def browse_events(invoice: Invoice, bought: Sequence[str], passed_over: str | None) -> list[Event]:
    """What the shopper is made to have looked at before an invoice; no chance is involved.

    First one item that is not bought then: the first item of the invoice before this one. Then
    at most two of the items bought: the first, and the one in the middle of the basket. One view
    a minute, the last a minute before the invoice. Postage, fees and the like are not looked at.
    """
    distinct = list(dict.fromkeys(bought))
    viewed = distinct[:: math.ceil(len(distinct) / VIEWED_AND_BOUGHT)]
    if passed_over is not None and passed_over not in distinct:
        viewed.insert(0, passed_over)
    return [
        Event(
            event_id=f"or-{invoice.number}-view-{index}",
            type=EventType.VIEW_ITEM,
            time=invoice.time - timedelta(minutes=len(viewed) - index),
            items=(Line(item_id),),
            session_id=f"or-{invoice.number}",
            context={"simulated": True},
            user_id=invoice.user_id,
            anonymous_id=invoice.anonymous_id,
        )
        for index, item_id in enumerate(viewed)
    ]


LONGEST_BROWSE = timedelta(minutes=VIEWED_AND_BOUGHT + 1)


class OnlineRetailReplay:
    """One pass over invoices; `skipped` counts lines by reason as it goes."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self._first_seen: dict[str, InvoiceLine] = {}
        self._told: set[str] = set()

    def stream(self, invoices: Iterable[Invoice]) -> Iterator[CatalogueItem | Event]:
        """Events in time order, each item's catalogue entry before the first event naming it.

        `invoices` come in time order."""
        for event in self._in_time_order(invoices):
            for line in event.items:
                if line.item_id not in self._told:
                    self._told.add(line.item_id)
                    first = self._first_seen[line.item_id]
                    yield catalogue_item(line.item_id, first.title, first.price, event.time)
            yield event

    def _in_time_order(self, invoices: Iterable[Invoice]) -> Iterator[Event]:
        """Views reach back before their invoice, so events wait until no later one can."""
        waiting: list[tuple[datetime, int, Event]] = []
        queued = 0
        passed_over: str | None = None
        for invoice in invoices:
            while waiting and waiting[0][0] < invoice.time - LONGEST_BROWSE:
                yield heapq.heappop(waiting)[2]
            sold = self._events_of(invoice)
            bought = [
                line.item_id
                for event in sold
                if event.type is EventType.PURCHASE
                for line in event.items
                if line.item_id not in NOT_GOODS
            ]
            views = browse_events(invoice, bought, passed_over) if bought else []
            for event in (*views, *sold):
                heapq.heappush(waiting, (event.time, queued, event))
                queued += 1
            passed_over = bought[0] if bought else passed_over
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _events_of(self, invoice: Invoice) -> list[Event]:
        for line in invoice.lines:
            if isinstance(line_type(invoice, line), EventType):
                self._first_seen.setdefault(line.item_id, line)
        return invoice_events(invoice, self.skipped)
