"""What commands print that run the whole system: a view while it runs, then what came of it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def report(run: Callable[[Console], Awaitable[DataclassInstance]], as_json: bool) -> None:
    """Runs it; Ctrl-C stops everything and exits with 130. With `as_json` the last line of
    standard output is one object; all else goes to standard error."""
    console = Console(stderr=True)

    async def finished() -> dict[str, Any]:
        found = asdict(await run(console))
        return {k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}

    try:
        found = asyncio.run(finished())
    except KeyboardInterrupt:
        console.print("Stopped: every service and server has ended.")
        raise SystemExit(130) from None
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        Console().print(_table(found))


def _table(found: dict[str, Any]) -> Table:
    table = Table(title="What came of it", show_header=False, title_justify="left")
    for name, value in found.items():
        table.add_row(name, _shown(value))
    return table


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
