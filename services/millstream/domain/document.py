"""What a record's JSON may be, its unknown fields included: bounded, and each key once.

The decoder of events passes over what it does not know and takes the last of two equal keys; two
readers of one record must not see two different events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from millstream.domain.errors import Reason, Refused
from millstream.domain.events import Event

MAX_DEPTH = 16
MAX_KEYS = 64
"""Of one object. How long an unknown field's text is, the limit of a record alone bounds."""
MAX_EXACT_INT = 2**53
"""Beyond this a JSON number is not the same integer in every language."""

_ANY = msgspec.json.Decoder()
_ALWAYS = 3  # event_id, type, time


def says_no_more(text: str, event: Event) -> bool:
    """True where every key of `text` went into `event` as something else than its default: then
    no key stands twice, nothing is unknown, and the types of Event bound the rest. False says
    nothing; `check_document` then has to look."""
    return text.count('":') == _stated(event) and _is_plain(text)


def _is_plain(text: str) -> bool:
    """No space before a colon: `":` is then found once for each key, and else only after an
    escaped quote in a string, which makes a count of keys too high."""
    # Sought one by one: to look for a single character is ten times as quick as for a pattern.
    if "\n" in text or "\t" in text or "\r" in text:
        return False
    return " " not in text or " :" not in text


def _stated(event: Event) -> int:
    keys = _ALWAYS + (event.tenant != "default") + (event.user_id is not None)
    keys += (event.anonymous_id is not None) + (event.session_id is not None)
    keys += (event.query is not None) + (event.currency is not None)
    keys += (event.transaction_id is not None) + (event.recommendation_id is not None)
    if event.context:
        keys += 1 + len(event.context)
    if event.items:
        keys += 1 + len(event.items)
        for line in event.items:
            if line.quantity != 1:
                keys += 1
            if line.price is not None:
                keys += 1
            if line.index is not None:
                keys += 1
    return keys


def check_document(text: str) -> None:
    """Raises Refused, and what msgspec raises on text that is no JSON."""
    keys = _keys_of([_ANY.decode(text)], MAX_DEPTH)
    if text.count('":') != keys or not _is_plain(text):
        json.loads(text, object_pairs_hook=_each_once)


def _keys_of(node: dict[str, Any] | list[Any], levels: int) -> int:
    """How many keys there are at and below `node`, which may hold `levels` more."""
    keys, inside = 0, cast(Iterable[Any], node)
    if isinstance(node, dict):
        keys, inside = len(node), node.values()
        if keys > MAX_KEYS:
            raise Refused(Reason.OUT_OF_RANGE, f"an object has more than {MAX_KEYS} keys")
    for value in inside:
        kind = type(value)
        if kind is dict or kind is list:
            if not levels:
                raise Refused(Reason.UNDECODABLE, f"nested deeper than {MAX_DEPTH}")
            keys += _keys_of(value, levels - 1)
        elif kind is int and not -MAX_EXACT_INT <= value <= MAX_EXACT_INT:
            raise Refused(Reason.OUT_OF_RANGE, "an integer is beyond 2^53")
    return keys


def _each_once(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) != len({name for name, _ in pairs}):
        raise Refused(Reason.DUPLICATE_KEY, "a key stands twice in one object")
