"""Every message of the wire as tables for people, read from its JSON Schema and its sample."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from millstream.cli.schemas import MESSAGES, schema_of
from millstream.domain.events import ID_PATTERN, ID_TEXT, ITEMS_ALLOWED, MAX_ID_CHARS, EventType

Schema = dict[str, Any]

_NO_LINE_BREAK = r"(?!\n)"
"""Ends patterns, for Python's sake alone."""

_INTRODUCTION = f"""\
# Message reference

Written by `make schemas` from the types that the services decode with, as `schemas/` is; a test
holds this page to both. The topics, their keys and what is kept how long stand in
[README](../README.md#topics) and in `schemas/asyncapi.yaml`. Fields that no table names are passed
over. What breaks a bound, or what is said under "also checked", becomes a dead letter with its
reason; over HTTP the verdict on it says so. A field with a default may be left out.

An `id` is {ID_TEXT}, of 1 to
{MAX_ID_CHARS} characters. A `time` is RFC 3339 with a time zone.
"""

_EVENT_TYPES = """\
### Types of events

The number of items is what an event of the type may carry.

| `type` | items | when | the least that is accepted |
|---|---|---|---|"""

_WHEN = {
    EventType.VIEW_ITEM: "an item's page is looked at",
    EventType.VIEW_ITEM_LIST: "items are shown in a list",
    EventType.SELECT_ITEM: "an item of a list is clicked",
    EventType.ADD_TO_WISHLIST: "items are put on the wish list",
    EventType.ADD_TO_CART: "items are put in the cart",
    EventType.REMOVE_FROM_CART: "items are taken out of the cart",
    EventType.BEGIN_CHECKOUT: "the checkout begins, with what is in the cart",
    EventType.PURCHASE: "an order is placed, a line for each item",
    EventType.REFUND: "an order comes back, or those of its items that are named",
    EventType.SEARCH: "something is searched for; `query` is required",
    EventType.ERASE: "the shopper is to be forgotten",
}

_INSIDE = {"items": "each", "propertyNames": "names", "additionalProperties": "values"}
_EXCLUSIVE = {"exclusiveMinimum": "above", "exclusiveMaximum": "below"}
_SIZES = {
    "": ("minimum", "maximum"),
    " characters": ("minLength", "maxLength"),
    " items": ("minItems", "maxItems"),
    " keys": ("minProperties", "maxProperties"),
}


def write_reference(schemas: Path, path: Path) -> Path:
    """Returns `path`. `schemas`: the folder with the samples."""
    path.write_text(rendered_reference(schemas), encoding="utf-8")
    return path


def rendered_reference(schemas: Path) -> str:
    parts = [_INTRODUCTION]
    for message in MESSAGES:
        sample = (schemas / "samples" / f"{message}.accepted.json").read_text(encoding="utf-8")
        parts.append("\n".join(_section(message, sample)))
    return "\n".join(parts)


def least_event(kind: EventType) -> dict[str, Any]:
    """An event of the type with nothing that could be left out."""
    event: dict[str, Any] = {
        "event_id": "e-1",
        "type": kind.value,
        "time": "2026-01-01T12:00:00Z",
        "user_id": "17850",
    }
    if items := ITEMS_ALLOWED[kind][0]:
        event["items"] = [{"item_id": "85123A"}] * items
    return event | ({"query": "lantern"} if kind is EventType.SEARCH else {})


def _section(message: str, sample: str) -> Iterator[str]:
    schema = schema_of(message)
    parts: dict[str, Schema] = schema["$defs"]
    root = _named(schema)
    yield f"## {message}\n"
    yield from _struct(parts[root])
    if comment := schema.get("$comment"):
        yield f"\n{comment.removesuffix('.')}."
    for name in sorted(parts, key=lambda name: "enum" not in parts[name]):
        if "enum" in parts[name]:
            values = ", ".join(f"`{value}`" for value in parts[name]["enum"])
            yield f"\n`{name}`: {values}. {_words(parts[name])}".rstrip()
        elif name != root:
            yield f"\n### {name} of {message}\n"
            yield from _struct(parts[name])
    if message == "event.v1":
        yield f"\n{_EVENT_TYPES}"
        yield from map(_event_type, EventType)
    yield f"\n```json\n{sample.strip()}\n```\n"


def _event_type(kind: EventType) -> str:
    least, most = ITEMS_ALLOWED[kind]
    example = json.dumps(least_event(kind))
    return f"| `{kind}` | {_between(least, most)} | {_WHEN[kind]} | `{example}` |"


def _struct(part: Schema) -> Iterator[str]:
    yield f"{_words(part)}\n"
    yield "| field | type | bounds | default | meaning |\n|---|---|---|---|---|"
    for name, field in part["properties"].items():
        meaning = "" if _is_id(field) else field.get("description", "")
        cells = (f"`{name}`", _kind(field), _bounds(field), _default(part, name), meaning)
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _words(part: Schema) -> str:
    return " ".join(part.get("description", "").split())


def _named(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _default(part: Schema, name: str) -> str:
    if name in part.get("required", ()):
        return "required"
    return f"`{json.dumps(part['properties'][name].get('default'))}`"


def _kind(schema: Schema) -> str:
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "$ref" in schema:
        return f"`{_named(schema)}`"
    if _is_id(schema):
        return "id"
    if "format" in schema:
        return "time" if schema["format"] == "date-time" else str(schema["format"])
    inside = schema.get("items", schema.get("additionalProperties"))
    kind = str(schema["type"])
    return f"{kind} of {_kind(inside)}" if isinstance(inside, dict) else kind


def _is_id(schema: Schema) -> bool:
    return schema.get("pattern") == ID_PATTERN


def _bounds(schema: Schema) -> str:
    return "; ".join(dict.fromkeys(_limits(schema)))


def _limits(schema: Schema) -> Iterator[str]:
    for one in schema.get("anyOf", ()):
        yield from _limits(one)
    if not _is_id(schema):
        yield from _own_limits(schema)
    for inner, whose in _INSIDE.items():
        if isinstance(schema.get(inner), dict):
            yield from (f"{whose} {limit}" for limit in _limits(schema[inner]))


def _own_limits(schema: Schema) -> Iterator[str]:
    for what, (least, most) in _SIZES.items():
        if least in schema or most in schema:
            yield f"{_between(schema.get(least), schema.get(most))}{what}"
    for bound, word in _EXCLUSIVE.items():
        if bound in schema:
            yield f"{word} {schema[bound]:g}"
    if "pattern" in schema:
        yield f"`{schema['pattern'].removesuffix(_NO_LINE_BREAK)}`"


def _between(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return f"at most {most:,.15g}" if least is None else f"at least {least:,.15g}"
    return f"{least:,.15g}" if least == most else f"{least:,.15g} to {most:,.15g}"
