"""The figures of docs/scale.md and docs/one-machine.md, computed from benchmarks/results/: a cell,
and in the next one, under `read from`, the fields of results that it is made of.
`python -m benchmarks.scale_page` writes them anew after a bench; what the words around them say is
for a person to look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = ("docs/scale.md", "docs/one-machine.md")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_FIELD = re.compile(r"([a-z][a-z-]*) ([a-z]\w*(?:\.\w+)*)")
_FIGURE = re.compile(r"(?<=\| )([^|`]*\d[^|`]*)(?= \| `([^`|]+)` \|)")


def figures(page: str) -> Iterator[tuple[str, str]]:
    """Each cell with its formula."""
    yield from _FIGURE.findall(page)


def due(cell: str, formula: str) -> str:
    """The cell as the results have it, with as many decimals. Raises ValueError for what is no
    arithmetic over fields; KeyError, OSError for a field or a result that is not there."""
    arithmetic = _FIELD.sub(_value, formula)
    if arithmetic == formula or not re.fullmatch(r"[\d.e+*/ -]+", arithmetic):
        raise ValueError(f"no fields of results: {formula}")
    [told] = NUMBER.findall(cell)
    decimals = len(told.partition(".")[2])
    return cell.replace(told, f"{eval(arithmetic):,.{decimals}f}")  # noqa: S307  figures and signs


def refreshed(page: str) -> str:
    return _FIGURE.sub(lambda found: due(found[1], found[2]), page)


def _value(found: re.Match[str]) -> str:
    value: Any = _printed(found[1])
    for step in found[2].split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return repr(float(value))


@cache
def _printed(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text())


if __name__ == "__main__":
    for page in (ROOT / name for name in PAGES):
        page.write_text(refreshed(page.read_text(encoding="utf-8")), encoding="utf-8")
