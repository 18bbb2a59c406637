"""docs/scale.md and docs/one-machine.md: each figure is computed anew from what was printed."""

from __future__ import annotations

import re

import pytest
from benchmarks.scale_page import NUMBER, PAGES, due, figures
from tests.documents import text_of

NOT_MEASURED = {
    "docs/scale.md": {
        *("2", "20", "30", "48", "300", "500", "96", "256", "95", "99", "50", "9", "10", "4"),
        *("12", "16", "10,000", "20,000", "40,000", "100,000", "200,000", "1,000,000"),
    },
    "docs/one-machine.md": {
        *("1", "2", "3", "4", "5", "6", "20", "2,000", "10,000", "50,000", "20585"),
        *("20,000", "40,000"),
    },
}
"""What was asked for: sizes, settings, percentiles, an example; places in a list."""
FIGURES = [figure for page in PAGES for figure in figures(text_of(page))]


@pytest.mark.parametrize("page", PAGES)
def test_every_field_that_is_named_has_its_figure(page: str) -> None:
    text = text_of(page)
    assert len(list(figures(text))) == text.count("| `") > 0


@pytest.mark.parametrize(("cell", "formula"), FIGURES)
def test_a_figure_is_what_was_printed(cell: str, formula: str) -> None:
    assert cell == due(cell, formula), "run `python -m benchmarks.scale_page` and read the page"


@pytest.mark.parametrize("page", PAGES)
def test_no_other_figure_stands_there(page: str) -> None:
    told = {number for cell, _ in figures(text_of(page)) for number in NUMBER.findall(cell)}
    text = re.sub(r"`[^`]*`", "", text_of(page))
    assert {number.rstrip(",") for number in NUMBER.findall(text)} <= told | NOT_MEASURED[page]


@pytest.mark.parametrize("formula", ["1 + 1", "scoring growth; 1", "__import__"])
def test_a_formula_is_arithmetic_over_fields(formula: str) -> None:
    with pytest.raises(ValueError, match="no fields"):
        due("2 s", formula)
