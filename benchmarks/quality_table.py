"""README's table of the runs that made its figures of quality, read from benchmarks/results/.
`python -m benchmarks.quality_table` writes it anew after a run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
README = ROOT / "README.md"
NAMES = (
    "sessions-retailrocket",
    "sessions-diginetica",
    "stream-retailrocket-events",
    "stream-online-retail",
    "stream-online-retail-20",
    "stream-retailrocket-sessions",
    "networks",
    "networks-retailrocket",
    "tune",
    "new-items",
    "variety",
    "reviews",
    "demand",
    "search",
    "questions",
    "first-version",
    "first-version-retailrocket",
    "warm-starts",
    "warm-starts-retailrocket",
    "warm-starts-sessions",
    "warm-starts-sessions-online-retail",
    "gate",
    "experiments",
    "page",
)
UNTOLD = "-"
_HEAD = "| `benchmarks/results/` | made by | seed | CPU minutes | GiB |\n|---|---|---|---|---|\n"
_BLOCK = re.compile(r"(?<=<!-- quality -->\n).*(?=<!-- /quality -->)", re.DOTALL)


def table() -> str:
    return _HEAD + "".join(f"| {' | '.join(row(name, printed(name)))} |\n" for name in NAMES)


def printed(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    """What the result does not tell is UNTOLD: it was made before results told it."""
    minutes, memory = found.get("cpu_minutes"), found.get("peak_gib")
    if minutes is None and "train_cpu_minutes" in found:
        minutes = f"{found['train_cpu_minutes']} a seed"
    return (
        f"`{name}`",
        f"`{found['command']}`",
        _seeds(found),
        UNTOLD if minutes is None else str(minutes),
        UNTOLD if memory is None else str(memory),
    )


def _seeds(found: Mapping[str, Any]) -> str:
    if not found.keys() & {"seed", "seeds"}:
        return UNTOLD
    seeds = found["seed"] if "seed" in found else [one["seed"] for one in found["seeds"]]
    several = [seeds] if isinstance(seeds, int) else seeds
    return ", ".join(map(str, several)) or "no chance in it"


def refreshed(page: str) -> str:
    return _BLOCK.sub(lambda _: table(), page)


if __name__ == "__main__":
    README.write_text(refreshed(README.read_text(encoding="utf-8")), encoding="utf-8")
