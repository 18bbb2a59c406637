"""docs/scale.md: each figure is computed anew from what the benches printed."""

from __future__ import annotations

import re

import pytest
from benchmarks.scale_page import NUMBER, due, figures
from tests.documents import text_of

PAGE = text_of("docs/scale.md")
NOT_MEASURED = {
    *("2", "20", "30", "48", "300", "500", "96", "256", "95", "99", "50", "9", "10", "4"),
    *("12", "16", "10,000", "20,000", "40,000", "100,000", "200,000", "1,000,000"),
}
"""What was asked for: sizes, settings, percentiles, an example."""


def test_every_field_that_is_named_has_its_figure() -> None:
    assert len(list(figures(PAGE))) == PAGE.count("| `") > 0


@pytest.mark.parametrize(("cell", "formula"), list(figures(PAGE)))
def test_a_figure_is_what_was_printed(cell: str, formula: str) -> None:
    assert cell == due(cell, formula), "run `python -m benchmarks.scale_page` and read the page"


def test_no_other_figure_stands_there() -> None:
    told = {number for cell, _ in figures(PAGE) for number in NUMBER.findall(cell)}
    text = re.sub(r"`[^`]*`", "", PAGE)
    assert {number.rstrip(",") for number in NUMBER.findall(text)} <= told | NOT_MEASURED


@pytest.mark.parametrize("formula", ["1 + 1", "scoring growth; 1", "__import__"])
def test_a_formula_is_arithmetic_over_fields(formula: str) -> None:
    with pytest.raises(ValueError, match="no fields"):
        due("2 s", formula)
