"""docs/scale.md: each figure is computed anew from what the benches printed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from tests.documents import ROOT, tables, text_of

PAGE = "docs/scale.md"
RESULTS = ROOT / "benchmarks" / "results"
_FIELD = re.compile(r"([a-z][a-z-]*) ([a-z]\w*(?:\.\w+)*)")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
NOT_MEASURED = {
    *("2", "20", "30", "48", "300", "500", "96", "256", "95", "99", "50", "9", "10", "4"),
    *("12", "16", "10,000", "20,000", "40,000", "100,000", "200,000", "1,000,000"),
}
"""What was asked for: sizes, settings, percentiles, an example."""


@cache
def printed(name: str) -> Any:
    return json.loads((RESULTS / f"{name}.json").read_text())


def field(found: re.Match[str]) -> str:
    value: Any = printed(found[1])
    for step in found[2].split("."):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return repr(float(value))


def figures() -> Iterator[tuple[str, str]]:
    """A cell and the formula of the cell after it."""
    for heading, *rows in tables(PAGE):
        for row in rows:
            for place, (cell, after) in enumerate(pairwise(row)):
                if heading[place + 1] == "read from":
                    yield cell, after.strip("`")


def test_there_are_figures() -> None:
    assert len(list(figures())) == text_of(PAGE).count("| `")


@pytest.mark.parametrize(("cell", "formula"), list(figures()))
def test_a_figure_is_what_was_printed(cell: str, formula: str) -> None:
    arithmetic = _FIELD.sub(field, formula)
    assert re.fullmatch(r"[\d.e+*/ -]+", arithmetic), f"no field of a result: {formula}"
    [told] = _NUMBER.findall(cell)
    decimals = len(told.partition(".")[2])
    assert told == f"{eval(arithmetic):,.{decimals}f}", formula  # noqa: S307  figures and signs


def test_no_other_figure_stands_there() -> None:
    told = {number for cell, _ in figures() for number in _NUMBER.findall(cell)}
    text = re.sub(r"`[^`]*`", "", text_of(PAGE))
    assert {number.rstrip(",") for number in _NUMBER.findall(text)} <= told | NOT_MEASURED
