"""The committed OpenAPI document is the one that the gateway serves, and says what it checks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from millstream.cli.openapi import NAME, rendered_openapi
from millstream.cli.schemas import schema_of

PATH = Path(__file__).parents[2] / "schemas" / NAME


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return read


def test_the_committed_document_is_the_generated_one() -> None:
    assert PATH.read_text(encoding="utf-8") == rendered_openapi(), "run `make schemas`"


def test_an_event_is_the_event_of_the_wire(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    wire = schema_of("event.v1")["$defs"]
    for name in ("Event", "Line", "EventType"):
        told = str(schemas[name]).replace("#/components/schemas/", "#/$defs/")
        assert told == str(wire[name])


def test_every_schema_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def references(node: object) -> list[str]:
    if isinstance(node, dict):
        here = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return here + [found for value in node.values() for found in references(value)]
    if isinstance(node, list):
        return [found for value in node for found in references(value)]
    return []


def test_what_needs_a_key_says_so_and_when_to_come_again(document: dict[str, Any]) -> None:
    for path, item in document["paths"].items():
        for operation in item.values():
            assert ("security" in operation) == path.startswith("/v1/"), path
            if "security" in operation:
                assert {"401", "403", "429", "503"} <= operation["responses"].keys()
                for status in ("429", "503"):
                    assert "Retry-After" in operation["responses"][status]["headers"]
