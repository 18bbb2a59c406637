"""The rehearsal as a person watches it in a terminal: one shopper's list changing, and the pace."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.events import Event
from millstream.domain.lists import RecommendationList
from millstream.local.rehearsal import Rehearsal

SHOWN_ITEMS = 8
SHOWN_EVENTS = 8
LINE_S = 10.0
STAY_S = 4.0
"""So long one shopper stays in view."""


class LiveView:
    """Implements replay.Listener. Follows a shopper while there is news of him, then another."""

    def __init__(self, events: int, title: str) -> None:
        self._titles: dict[str, str] = {}
        self._events: dict[str, deque[Event]] = {}
        self._before: RecommendationList | None = None
        self._list: RecommendationList | None = None
        self._since = 0.0
        self._title = title
        self._rehearsal: Rehearsal | None = None
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:>5.0f} events/s"),
            TimeRemainingColumn(),
        )
        self._task = self._progress.add_task("replayed", total=events, rate=0.0)
        self._began = time.monotonic()

    def watch(self, rehearsal: Rehearsal) -> None:
        self._rehearsal = rehearsal
        self._began = time.monotonic()

    def catalogued(self, item: CatalogueItem) -> None:
        self._titles[item.item_id] = item.title

    def before(self, event: Event) -> None:
        self._events.setdefault(event.shopper, deque(maxlen=SHOWN_EVENTS)).appendleft(event)
        rehearsal = self._rehearsal
        if rehearsal is not None:
            rate = rehearsal.replay.sent / max(0.1, time.monotonic() - self._began)
            self._progress.update(self._task, completed=rehearsal.replay.sent, rate=rate)

    def listed(self, ranked: RecommendationList) -> None:
        now = time.monotonic()
        shown = self._list.user if self._list else None
        if ranked.user == shown:
            self._before, self._list = self._list, ranked
        elif now - self._since > STAY_S and len(self._events.get(ranked.user, ())) > 1:
            self._before, self._list, self._since = None, ranked, now

    def __rich__(self) -> RenderableType:
        sides = Table.grid(expand=True, padding=(0, 1))
        sides.add_column(ratio=2)
        sides.add_column(ratio=5)
        sides.add_row(self._recent(), self._ranked())
        return Group(
            Text(self._title, style="bold"), self._progress, sides, self._models(), Text("")
        )

    def line(self) -> str:
        task = self._progress.tasks[0]
        lists = self._rehearsal.replay.progress.lists if self._rehearsal else 0
        rate = f"{task.fields['rate']:.0f} events/s"
        outcome = self._rehearsal.replay.outcome() if self._rehearsal else None
        if outcome is not None and outcome.event_to_list_p99_ms is not None:
            rate += f", event to list p99 {outcome.event_to_list_p99_ms:.0f} ms"
        return (
            f"{int(task.completed):,} of {task.total:,.0f} events, {rate}, {lists:,} lists; "
            f"{self._models().plain}"
        )

    def _recent(self) -> Panel:
        rows = Table.grid(padding=(0, 1))
        events = self._events.get(self._list.user, ()) if self._list else ()
        for event in events:
            first = self._name(event.items[0].item_id) if event.items else ""
            more = f" +{len(event.items) - 1}" if len(event.items) > 1 else ""
            rows.add_row(Text(str(event.type), style="cyan"), Text(f"{first}{more}", no_wrap=True))
        return Panel(rows, title="one shopper, newest first", border_style="cyan")

    def _ranked(self) -> Panel:
        rows = Table.grid(padding=(0, 1), expand=True)
        rows.add_column(width=2)
        rows.add_column(ratio=1, no_wrap=True)
        rows.add_column(ratio=1, no_wrap=True)
        ranked = self._list
        stood = [i.item_id for i in self._before.items] if self._before else []
        for place, item in enumerate(ranked.items[:SHOWN_ITEMS] if ranked else ()):
            moved = _moved(stood, item.item_id, place)
            reason = Text(item.reason, style="dim")
            rows.add_row(moved, Text(self._name(item.item_id)), reason)
        title = f"the list, by model {ranked.model_version}" if ranked else "the list"
        return Panel(rows, title=title, border_style="green")

    def _models(self) -> Text:
        announced = self._rehearsal.announced if self._rehearsal else []
        if not announced:
            return Text("models: none yet; lists come from co-visitation and popularity", "dim")
        parts = [f"v{m.version} {'promoted' if m.promoted else 'held'}" for m in announced]
        return Text("models: " + ", ".join(parts), "magenta")

    def _name(self, item_id: str) -> str:
        return self._titles.get(item_id) or item_id


def _moved(stood: list[str], item_id: str, place: int) -> Text:
    if not stood:
        return Text(" ")
    if item_id not in stood:
        return Text("+", style="bold green")
    before = stood.index(item_id)
    if before == place:
        return Text(" ")
    return Text("↑", style="green") if place < before else Text("↓", style="yellow")


@asynccontextmanager
async def shown(view: LiveView, console: Console) -> AsyncIterator[None]:
    """On a terminal the view, four times a second; elsewhere a line every LINE_S seconds."""
    if console.is_terminal:
        with Live(view, console=console, refresh_per_second=4, transient=True):
            yield
        return
    printing = asyncio.create_task(_print_lines(view, console))
    try:
        yield
    finally:
        printing.cancel()


async def _print_lines(view: LiveView, console: Console) -> None:
    while True:
        await asyncio.sleep(LINE_S)
        console.print(view.line())
