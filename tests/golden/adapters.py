"""Recordings in the words of other systems, and what comes of each line.

`python -m tests.golden.adapters` writes what the adapters say now: look at the difference before it
is committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from millstream.client.adapters import ADAPTERS, Faulty, Mapped, NotOurs, Outcome

FOLDER = Path(__file__).parent


def records(sender: str) -> list[Any]:
    return [json.loads(line) for line in (FOLDER / f"{sender}.jsonl").read_text().splitlines()]


def golden(sender: str) -> str:
    return (FOLDER / f"{sender}.golden.jsonl").read_text()


def rendered(sender: str) -> str:
    """A line for each outcome, with the number of the line it came of."""
    return "".join(
        msgspec.json.encode({"line": number} | _told(outcome)).decode() + "\n"
        for number, record in enumerate(records(sender), start=1)
        for outcome in ADAPTERS[sender](record)
    )


def _told(outcome: Outcome) -> dict[str, Any]:
    match outcome:
        case Mapped(kind, fields):
            given = {k: v for k, v in fields.items() if v not in (None, ())}
            return {"type": kind} | given
        case NotOurs(what):
            return {"not_ours": what}
        case Faulty(reason, detail):
            return {"faulty": reason, "detail": detail}


if __name__ == "__main__":
    for name in ADAPTERS:
        (FOLDER / f"{name}.golden.jsonl").write_text(rendered(name))
