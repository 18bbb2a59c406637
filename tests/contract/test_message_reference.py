"""docs/messages.md says what the schemas say: every message, type, field and example."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import msgspec
import pytest
from tests.documents import ROOT, text_of

from millstream.cli.message_reference import least_event, rendered_reference
from millstream.cli.schemas import MESSAGES
from millstream.domain.decode import decode
from millstream.domain.errors import Refused
from millstream.domain.events import ITEMS_ALLOWED, EventType, milliseconds

PAGE = "docs/messages.md"
SCHEMAS = ROOT / "schemas"


def section(message: str) -> str:
    found = re.search(rf"^## {re.escape(message)}$(.*?)(?=^## |\Z)", text_of(PAGE), re.M | re.S)
    assert found, f"{PAGE} has no section {message}"
    return found[1]


def test_the_committed_page_is_the_generated_one() -> None:
    assert text_of(PAGE) == rendered_reference(SCHEMAS), "run `make schemas`"


@pytest.mark.parametrize("message", MESSAGES)
def test_every_field_stands_in_a_table_with_its_bounds(message: str) -> None:
    schema = json.loads((SCHEMAS / f"{message}.json").read_text())
    text = section(message)
    for part in schema["$defs"].values():
        for value in part.get("enum", ()):
            assert f"`{value}`" in text
        for name, field in part.get("properties", {}).items():
            rows = [line for line in text.split("\n") if line.startswith(f"| `{name}` |")]
            assert rows, f"{message}: no row for {name}"
            for bound in numbers_of(field):
                assert any(f"{bound:,.15g}" in row for row in rows), f"{name}: {bound}"


def numbers_of(field: dict[str, Any]) -> list[float]:
    """The bounds that the page has to name; an id's are told once, at the top."""
    told = [field, *field.get("anyOf", ())]
    return [
        value
        for one in told
        if one.get("maxLength") != 128
        for name, value in one.items()
        if name.startswith(("min", "max", "exclusive"))
    ]


@pytest.mark.parametrize("message", MESSAGES)
def test_the_example_is_such_a_message(message: str) -> None:
    [example] = re.findall(r"^```json\n(.*?)^```$", section(message), re.M | re.S)
    assert isinstance(msgspec.json.decode(example, type=MESSAGES[message]), MESSAGES[message])


@pytest.mark.parametrize("kind", EventType)
def test_the_least_event_of_a_type_is_accepted_and_nothing_less(kind: EventType) -> None:
    least = least_event(kind)
    now = milliseconds(datetime.fromisoformat(least["time"]))
    assert f"`{json.dumps(least)}`" in section("event.v1")
    assert decode(json.dumps(least).encode(), (), now).type is kind
    for name in least:
        less = {key: value for key, value in least.items() if key != name}
        with pytest.raises(Refused):
            decode(json.dumps(less).encode(), (), now)
    least_items, most = ITEMS_ALLOWED[kind]
    assert f"| `{kind}` | {least_items}" in section("event.v1")
    more = {**least, "items": [{"item_id": "85123A"}] * (most + 1)}
    with pytest.raises(Refused):
        decode(json.dumps(more).encode(), (), now)
