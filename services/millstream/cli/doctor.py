"""`millstream doctor`: what is wrong with a deployment, and how to mend it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from millstream.diagnosis import diagnose
from millstream.diagnosis.check import Check, Verdict
from millstream.domain.clock import wall_clock
from millstream.settings import ConnectionSettings

STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.BAD: "bold red"}


def examine(
    settings: ConnectionSettings,
    model: tuple[str, str],
    *,
    replay: bool,
    partitions: int | None,
    as_json: bool,
) -> None:
    """Prints all checks; exits with 1 where one is bad, a warning alone is no failure."""
    looking = diagnose(settings, wall_clock, model=model, replay=replay, partitions=partitions)
    with Console(stderr=True).status("Looking at broker, topics, Redis, model and clocks ..."):
        checks = asyncio.run(looking)
    told = result(checks)
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        Console().print(_table(checks))
    raise SystemExit(0 if told["ok"] else 1)


def result(checks: Sequence[Check]) -> dict[str, Any]:
    """`ok` is 1 or 0."""
    bad = any(check.verdict is Verdict.BAD for check in checks)
    return {"checks": [msgspec.to_builtins(check) for check in checks], "ok": int(not bad)}


def _table(checks: Sequence[Check]) -> Table:
    table = Table(title="What a deployment needs", title_justify="left")
    for heading in ("check", "verdict", "found", "how to mend it"):
        table.add_column(heading)
    for check in checks:
        verdict = Text(str(check.verdict), style=STYLES[check.verdict])
        table.add_row(check.name, verdict, Text(check.found), Text(check.remedy))
    return table
