"""The data folders that `millstream evaluate stream` knows, told apart by their files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType, Line
from millstream.local.online_retail import Invoice, invoice_events, read_invoices
from millstream.local.prepare import convert
from millstream.local.retailrocket import RetailRocketReplay, read_rows
from millstream.trainer.sessions.data import TEST_NAME, TRAIN_NAME, text_lines
from millstream.trainer.stream.rows import Recording

_RETAIL_NAMES = ("online_retail.csv", "online_retail.csv.gz")
_NO_PAUSE_MS = 10 * 365 * 86_400_000
_TRAIN_DAYS = 131
"""RetailRocket's log begins so long before the test sessions of the published split."""


def stream_recording(folder: Path, learnt: float) -> Recording:
    """`learnt`: the share of events before the split; not asked where it is published. Blocks for
    seconds. Raises OperatorError for a folder that is none of those known."""
    for name, read in _KNOWN.items():
        if (folder / name).is_file():
            return read(folder, learnt)
    raise OperatorError(
        "--data",
        str(folder),
        f"a folder with one of {', '.join(_KNOWN)}",
        "See docs/stream-evaluation.md",
    )


def retail_invoices(folder: Path) -> Iterator[Invoice]:
    """Of the publisher's CSV. Blocks for seconds. Raises OperatorError where it is not there."""
    sources = [folder / name for name in _RETAIL_NAMES if (folder / name).is_file()]
    if not sources:
        raise OperatorError("--data", str(folder), f"a folder with {' or '.join(_RETAIL_NAMES)}")
    with TemporaryDirectory() as scratch:
        lines = Path(scratch) / "lines.parquet"
        convert(sources[0], lines)
        yield from read_invoices(lines)


def _retailrocket(folder: Path, learnt: float) -> Recording:
    told = RetailRocketReplay().stream(read_rows(folder))
    events = [event for event in told if isinstance(event, Event)]
    return Recording(
        "retailrocket-events",
        events,
        int(len(events) * learnt),
        notes=("The files hold one row per shopper, item and kind: no view is ever repeated.",),
    )


def _online_retail(folder: Path, learnt: float) -> Recording:
    skipped = Counter[str]()
    events = [
        event for invoice in retail_invoices(folder) for event in invoice_events(invoice, skipped)
    ]
    events.sort(key=lambda event: event.time)
    return Recording(
        "online-retail",
        events,
        int(len(events) * learnt),
        visit_gap_ms=_NO_PAUSE_MS,
        notes=(
            "A question is an invoice; the views that the demo makes up are left out.",
            "A visit is all that a customer bought so far, its last 100 items.",
        ),
    )


def _sessions(folder: Path) -> Recording:
    test = sorted(_test_sessions(folder))
    if not test:
        raise OperatorError(TEST_NAME, "no row", "prefix, target, Unix time and session id")
    train = [line.split() for line in text_lines(folder / TRAIN_NAME)]
    first = datetime.fromtimestamp(test[0][0], UTC)
    apart = timedelta(days=_TRAIN_DAYS) / max(1, len(train))
    learnt = [
        event
        for number, items in enumerate(train)
        for event in _touches(f"train-{number}", first - (len(train) - number) * apart, items)
    ]
    asked = [
        event
        for seconds, name, items in test
        for event in _touches(f"test-{name}", datetime.fromtimestamp(seconds, UTC), items)
    ]
    learnt.sort(key=lambda event: event.time)
    asked.sort(key=lambda event: event.time)
    return Recording(
        "retailrocket-sessions",
        [*learnt, *asked],
        len(learnt),
        min_earlier=2,
        notes=(
            f"Training sessions have no time: they are spread evenly over {_TRAIN_DAYS} days in the"
            " order of the file.",
            "A session has one time; its touches are put one second apart from there.",
            "Each session is a shopper of its own, and each question is a row of the test file.",
        ),
    )


def _test_sessions(folder: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Time in seconds, name, items: of each session's rows the one with the longest prefix."""
    longest: dict[str, tuple[int, str, list[str]]] = {}
    for line in text_lines(folder / TEST_NAME):
        columns = line.split("\t")
        if len(columns) < 4:
            raise OperatorError(
                TEST_NAME,
                f"{len(columns)} columns",
                "prefix, target, Unix time and session id",
                "Without times nothing can be replayed: see `millstream evaluate sessions`",
            )
        items = [*columns[0].split(), columns[1].strip()]
        name = columns[3].strip()
        if name not in longest or len(items) > len(longest[name][2]):
            longest[name] = int(columns[2]), name, items
    yield from longest.values()


def _touches(name: str, start: datetime, items: list[str]) -> Iterator[Event]:
    for place, item in enumerate(items):
        yield Event(
            event_id=f"{name}-{place}",
            type=EventType.VIEW_ITEM,
            time=start + timedelta(seconds=place),
            anonymous_id=name,
            items=(Line(item),),
        )


_KNOWN: dict[str, Callable[[Path, float], Recording]] = {
    "events.csv": _retailrocket,
    "events.csv.gz": _retailrocket,
    **dict.fromkeys(_RETAIL_NAMES, _online_retail),
    TEST_NAME: lambda folder, _: _sessions(folder),
}
