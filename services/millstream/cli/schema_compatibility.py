"""May a schema take another's place? Only if it accepts every message the other one accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
# Two of these cannot be compared: any change counts as narrower. `default` changes a meaning.
_FIXED = ("pattern", "format", "multipleOf", "default", "propertyNames", "prefixItems")


def narrowings(old: Schema, new: Schema) -> list[str]:
    """What of `new` refuses or redefines something that `old` accepted, by path; knows what
    msgspec writes of JSON Schema 2020-12."""
    return list(_Comparison(old.get("$defs", {}), new.get("$defs", {})).of(old, new, "$"))


@dataclass(frozen=True)
class _Comparison:
    old_parts: Schema
    new_parts: Schema

    def of(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        old, new = _resolved(old, self.old_parts), _resolved(new, self.new_parts)
        if "anyOf" in old or "anyOf" in new:
            yield from self._alternatives(old, new, path)
            return
        other_kind = list(_kinds(old, new, path))
        if other_kind:
            yield from other_kind
            return
        yield from _bounds(old, new, path)
        yield from self._members(old, new, path)
        if "items" in new:
            yield from self.of(old.get("items", {}), new["items"], f"{path}[]")

    def _alternatives(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        after = new.get("anyOf", [new])
        for before in old.get("anyOf", [old]):
            tried = [list(self.of(before, candidate, path)) for candidate in after]
            if all(tried):
                yield min(tried, key=len)[0]
        if "anyOf" in old and old.get("default") != new.get("default"):
            yield f"{path}: default changed"

    def _members(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
            yield f"{path}.{name}: became required"
        for name, schema in before.items():
            if name in after:
                yield from self.of(schema, after[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}: removed"
        extra = new.get("additionalProperties", True)
        known = old.get("additionalProperties", True)
        if extra is False and known is not False:
            yield f"{path}: no longer open to other fields"
        elif isinstance(extra, Mapping) and known is not False:
            yield from self.of(known if known is not True else {}, extra, f"{path}.*")


def _resolved(schema: Schema, parts: Schema) -> Schema:
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**parts[name], **{k: v for k, v in schema.items() if k != "$ref"}} if name else schema


def _kinds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, after = old.get("type"), new.get("type")
    if after is not None and before != after and (before, after) != ("integer", "number"):
        yield f"{path}: type {before} became {after}"
    if "enum" in new and not set(old.get("enum", (object(),))) <= set(new["enum"]):
        yield f"{path}: values were taken away"


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for name in _LEAST:
        if name in new and new[name] > old.get(name, float("-inf")):
            yield f"{path}: {name} rose"
    for name in _MOST:
        if name in new and new[name] < old.get(name, float("inf")):
            yield f"{path}: {name} fell"
    for name in _FIXED:
        freed = name in old and name not in new and name != "default"
        if old.get(name) != new.get(name) and not freed:
            yield f"{path}: {name} changed"
