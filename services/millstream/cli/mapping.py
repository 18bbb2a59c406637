"""`millstream map`: what would become of another system's events, before any is sent."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from millstream.domain.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from millstream.client.adapters.preview import Place, Preview

NOT_ALL_MAP = 1


class Sender(StrEnum):
    """The adapters; a test compares the two."""

    GA4 = "ga4"
    SEGMENT = "segment"
    SNOWPLOW = "snowplow"


def map_file(
    file: Annotated[Path, typer.Argument(help="JSON lines, also as .gz; - is standard input.")],
    sender: Annotated[Sender, typer.Option("--from", help="Whose events they are.")],
    tenant: str = typer.Option("default"),
    json: bool = typer.Option(False, help="One JSON object."),
) -> None:
    """Which lines map to which event type, which would be refused and why; sends nothing. Ids in
    the examples are pseudonyms under a key that is thrown away. Exit code 1 where a line would be
    refused or nothing maps; events that have no counterpart here are no fault."""
    from millstream.client.adapters import ADAPTERS
    from millstream.client.adapters.preview import preview
    from millstream.domain.clock import wall_clock
    from millstream.domain.events import Tenant

    try:
        msgspec.convert(tenant, Tenant)
    except msgspec.ValidationError:
        raise OperatorError("--tenant", repr(tenant), "up to 32 of a-z, 0-9 and -") from None
    with _lines(file) as lines:
        found = preview(lines, ADAPTERS[sender], tenant, wall_clock())
    if json:
        sys.stdout.write(msgspec.json.encode(told(found)).decode() + "\n")
    else:
        show(found, Console())
    raise typer.Exit(0 if found.is_good else NOT_ALL_MAP)


def told(found: Preview) -> dict[str, Any]:
    return {
        "lines": found.lines,
        "mapped": found.types.total(),
        "types": dict(found.types.most_common()),
        "late_if_sent_now": found.late,
        "repeated": found.repeated,
        "refused": [
            {"reason": reason, "detail": detail, "count": place.count, "lines": place.lines}
            for (reason, detail), place in _by_count(found.refused)
        ],
        "no_counterpart": [
            {"event": what, "count": place.count, "lines": place.lines}
            for what, place in _by_count(found.not_ours)
        ],
        "examples": list(found.examples.values()),
    }


def show(found: Preview, console: Console) -> None:
    mapped = Table("event type", "events")
    for kind, count in found.types.most_common():
        mapped.add_row(kind, str(count))
    console.print(mapped)
    if found.refused:
        refused = Table("refused", "what is wrong", "events", "in lines")
        for (reason, detail), place in _by_count(found.refused):
            refused.add_row(reason, Text(detail), str(place.count), _numbers(place))
        console.print(refused)
    if found.not_ours:
        others = Table("no counterpart here", "events", "in lines")
        for what, place in _by_count(found.not_ours):
            others.add_row(Text(what), str(place.count), _numbers(place))
        console.print(others)
    _sum_up(found, console)


def _sum_up(found: Preview, console: Console) -> None:
    refused = sum(place.count for place in found.refused.values())
    passed = sum(place.count for place in found.not_ours.values())
    console.print(
        f"{found.lines} lines: {found.types.total()} events map, {refused} would be refused,"
        f" {passed} have no counterpart"
    )
    if found.late:
        console.print(f"{found.late} happened more than 24 h ago: sent now, they are late")
    if found.repeated:
        console.print(f"{found.repeated} have the id of an event before them: it counts once")
    if found.examples:
        console.print("The first of each type, its ids under a key that is thrown away:")
    for example in found.examples.values():
        console.print(Text(msgspec.json.encode(example).decode()), soft_wrap=True)


def _by_count(found: dict[Any, Place]) -> list[tuple[Any, Place]]:
    return sorted(found.items(), key=lambda entry: -entry[1].count)


def _numbers(place: Place) -> str:
    more = ", …" if place.count > len(place.lines) else ""
    return ", ".join(map(str, place.lines)) + more


@contextmanager
def _lines(file: Path) -> Iterator[Iterable[bytes]]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with _opened(file) as opened:
            yield opened
    except (OSError, EOFError) as error:
        what = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OperatorError(
            "the file of events", f"{file} ({what})", "lines of JSON, or - for standard input"
        ) from None


def _opened(file: Path) -> AbstractContextManager[Iterable[bytes]]:
    return gzip.open(file) if file.suffix == ".gz" else file.open("rb")
