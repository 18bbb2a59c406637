"""What is logged: fixed words, and fields that are no ids, keys or bodies."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.documents import PACKAGE

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
LOGGERS = {"log", "_log"}
OUR_OWN = "trainer/turn.py"
"""Tells why cleaning left nothing to train on, in our own words and numbers."""
FORBIDDEN = (
    *("user", "shopper", "user_id", "anonymous", "id", "ids", "event_id", "key", "token", "secret"),
    *("password", "body", "value", "record", "letter", "header", "headers", "url", "query"),
)


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in LEVELS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in LOGGERS
            ):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_a_line_is_fixed_words_and_no_text_that_was_put_together() -> None:
    found = list(calls())
    assert len(found) > 20
    for place, call in found:
        [words] = call.args
        assert isinstance(words, ast.Constant), place
        assert isinstance(words.value, str), place


def test_no_field_is_named_after_what_must_not_be_told() -> None:
    for place, call in calls():
        for field in call.keywords:
            assert field.arg not in FORBIDDEN, f"{place}: {field.arg}"


def test_errors_of_clients_are_told_by_their_kind() -> None:
    """The text of an exception may quote what was sent; our own, Halt and the like, do not."""
    for place, call in calls():
        for field in call.keywords:
            text = ast.unparse(field.value)
            if not place.startswith(OUR_OWN):
                assert not text.startswith(("str(error)", "repr(")), f"{place}: {field.arg}={text}"
