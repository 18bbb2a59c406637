"""What commands print that run the whole system: a view while it runs, then what came of it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.table import Table

from millstream.cli.result import Asked, write_result

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")


def report(
    run: Callable[[Console], Awaitable[R]],
    as_json: bool,
    failures: Callable[[R], list[str]],
    asked: Asked | None = None,
    told: bool = False,
) -> None:
    """Runs it and prints what came of it, unless `run` has `told` it; exits with 1 where
    `failures` names anything.

    Ctrl-C and SIGTERM stop everything, and it exits with 130 and 143. With `as_json` the last line
    of standard output is one object, which says what made it where `asked` is given; all else goes
    to standard error."""
    console = Console(stderr=True)
    result = _run_to_end(run, console)
    if not told:
        tell(result, as_json, asked)
    if broken := failures(result):
        for failure in broken:
            sys.stderr.write(f"Not as promised: {failure}.\n")
        raise SystemExit(1)


def tell(result: DataclassInstance, as_json: bool, asked: Asked | None = None) -> None:
    found = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(result).items()}
    if as_json and asked is not None:
        write_result(asked.command, asked.seed, found)
    elif as_json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        Console().print(_table(found))
    sys.stdout.flush()


def _run_to_end(run: Callable[[Console], Awaitable[R]], console: Console) -> R:
    terminated = False

    async def finished() -> R:
        task = asyncio.current_task()

        def end() -> None:
            """Once: a second cancel would break into the ending."""
            nonlocal terminated
            if task is not None and not terminated:
                terminated = True
                task.cancel()

        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
        return await run(console)

    code = 130
    try:
        return asyncio.run(finished())
    except KeyboardInterrupt:
        pass
    except asyncio.CancelledError:
        if not terminated:
            raise
        code = 143
    console.print("Stopped: every service and server has ended.")
    raise SystemExit(code)


def _table(found: dict[str, Any]) -> Table:
    table = Table(title="What came of it", show_header=False, title_justify="left")
    for name, value in found.items():
        table.add_row(name, _shown(value))
    return table


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float) else str(value)
