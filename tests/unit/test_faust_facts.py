"""The table of what is known of Faust in docs/exactness.md: complete, and no test of it made up."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from tests.documents import ROOT, tables, text_of
from tests.unit.recommender.test_preconditions import AGENTS, SETTINGS

DOCUMENT = "docs/exactness.md"
FACTS = [f"F{number}" for number in range(1, 21)]
PARAMETERS = {"test_an_agent_that": AGENTS, "test_a_setting_that_is_another": SETTINGS}
_NAMED = re.compile(r"`(tests/[\w/]+\.py)?::(\w+)(?:\[([^\]`]+)\])?`")


def rows() -> dict[str, str]:
    """By fact, what stands in the last column."""
    (table,) = (t for t in tables(DOCUMENT) if t[0][:2] == ["#", "what is known"])
    return {fact.strip(): row[-1] for row in table[1:] for fact in row[0].split(",")}


def functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_each_fact_has_its_row() -> None:
    assert list(rows()) == FACTS


@pytest.mark.parametrize("fact", FACTS)
def test_each_is_shown_by_tests_that_exist(fact: str) -> None:
    named = _NAMED.findall(rows()[fact])
    assert named, "no test shows it"
    assert rows()[fact].count("::") == len(named), "a name that is not written as the others"
    path = ""
    for given, name, parameter in named:
        path = given or path
        assert name in functions(ROOT / path), f"{path} has no {name}"
        if parameter:
            assert parameter in PARAMETERS[name], f"{name} has no case {parameter}"


def test_decisions_name_tests_that_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of("docs/decisions.md"))
    assert named
    assert [(path, name) for path, name in named if name not in functions(ROOT / path)] == []
