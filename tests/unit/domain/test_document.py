"""What the JSON of a record may be, in the fields that we know and in those we do not."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS, event

from millstream.domain.decode import decode
from millstream.domain.document import MAX_DEPTH, MAX_KEYS, check_document, says_no_more
from millstream.domain.errors import Reason, Refused
from millstream.domain.events import Event

PLAIN = {
    "event_id": "e1",
    "type": "view_item",
    "time": "2026-09-21T14:13:20Z",
    "user_id": "ann",
    "items": [{"item_id": "i1", "quantity": 2}],
}


def reason_of(text: str) -> Reason | None:
    try:
        decode(text.encode(), (), NOON_MS)
    except Refused as refused:
        why = refused
    else:
        return None
    assert "ann" not in why.detail
    return why.reason


def with_extra(extra: str) -> str:
    return json.dumps(PLAIN)[:-1] + f', "extra": {extra}}}'


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


def wide(keys: int) -> str:
    return json.dumps({f"k{n}": n for n in range(keys)})


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        (nested(MAX_DEPTH - 1), None),
        (nested(MAX_DEPTH), Reason.UNDECODABLE),
        ('{"a":' * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1), None),
        ('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, Reason.UNDECODABLE),
        ("[" * 20_000, Reason.UNDECODABLE),
        (wide(MAX_KEYS), None),
        (wide(MAX_KEYS + 1), Reason.OUT_OF_RANGE),
        (str(2**53), None),
        (str(-(2**53)), None),
        (str(2**53 + 1), Reason.OUT_OF_RANGE),
        (f"[{{}}, {-(2**53) - 1}]", Reason.OUT_OF_RANGE),
        ("9" * 5_000, Reason.OUT_OF_RANGE),
        ("NaN", Reason.UNDECODABLE),
        ("-Infinity", Reason.UNDECODABLE),
        ("1e400", Reason.OUT_OF_RANGE),
        ("01", Reason.UNDECODABLE),
        ("1.5", None),
        ('"\\ud800"', Reason.UNDECODABLE),
        (json.dumps("x" * 1_000), None),
    ],
)
def test_an_unknown_field_is_passed_over_within_bounds(extra: str, reason: Reason | None) -> None:
    assert reason_of(with_extra(extra)) == reason


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("query", "x" * 256, None),
        ("query", "x" * 257, Reason.OUT_OF_RANGE),
        ("session_id", "x" * 128, None),
        ("session_id", "x" * 129, Reason.BAD_ID),
        ("context", {f"k{n}": n for n in range(64)}, None),
        ("context", {f"k{n}": n for n in range(65)}, Reason.OUT_OF_RANGE),
        ("context", {"k": "x" * 257}, Reason.OUT_OF_RANGE),
        ("context", {"x" * 257: 1}, Reason.OUT_OF_RANGE),
        ("context", {"k": 2**53}, None),
        ("context", {"k": 2**53 + 1}, Reason.OUT_OF_RANGE),
        ("items", [{"item_id": "i", "quantity": 1.0}], Reason.WRONG_TYPE),
        ("items", [{"item_id": "i", "quantity": 2e0}], Reason.WRONG_TYPE),
        ("items", [{"item_id": "i", "index": 3.0}], Reason.WRONG_TYPE),
        ("time", "1969-12-31T23:59:59Z", Reason.OUT_OF_RANGE),
        ("time", 1_790_000_000, Reason.WRONG_TYPE),
    ],
)
def test_a_known_field_is_bounded(place: str, value: Any, reason: Reason | None) -> None:
    assert reason_of(json.dumps(PLAIN | {place: value})) == reason


DUPLICATES = [
    '{"event_id":"e0","event_id":"e1",',
    '{"event_id":"e0","event_id" :"e1",',
    '{"event_id":"e1","event_id"\n:"e1",',
    '{"event_id":"e1","event_id"\t :"e1",',
    '{"event_id":"e1","ev\\u0065nt_id":"e1",',
    '{"event_id":"e1","query":null,"query":null,',
    '{"event_id":"e1","extra":{"a":[{"b":1,"b":2}]},',
    '{"event_id":"e1","context":{"a":1,"a":2},',
    '{"event_id":"e1","context":{"":1,"":1},',
    '{"event_id":"e1","query":"\\":","tenant":"a","tenant" :"a",',
]


@pytest.mark.parametrize("head", DUPLICATES)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_key_that_stands_twice_is_refused(head: str, indent: int | None) -> None:
    rest = json.dumps({k: v for k, v in PLAIN.items() if k != "event_id"}, indent=indent)
    assert reason_of(head + rest[1:]) is Reason.DUPLICATE_KEY
    once = json.loads(head + rest[1:])
    assert reason_of(json.dumps(once, indent=indent)) is None


def test_a_line_with_a_key_twice_is_refused() -> None:
    text = json.dumps(PLAIN).replace('"quantity": 2', '"quantity": 2, "quantity": 2')
    assert reason_of(text) is Reason.DUPLICATE_KEY


@pytest.mark.parametrize("text", ['":', '" :', '\\":\\":', 'a "b": c'])
def test_text_that_looks_like_keys_is_none(text: str) -> None:
    said = PLAIN | {"query": text, "context": {text: text}}
    assert reason_of(json.dumps(said)) is None
    assert reason_of(json.dumps(said, separators=(",", ":"))) is None


def test_a_cloud_event_is_looked_at_as_it_came() -> None:
    body = json.dumps({k: v for k, v in PLAIN.items() if k not in ("event_id", "type", "time")})
    envelope = (
        '{"specversion":"1.0","id":"e1","id":"e1","type":"view_item",'
        f'"time":"2026-09-21T14:13:20Z","data":{body}}}'
    )
    structured = (("content-type", b"application/cloudevents+json"),)
    with pytest.raises(Refused, match="twice"):
        decode(envelope.encode(), structured, NOON_MS)
    decode(envelope.replace('"id":"e1","id":"e1"', '"id":"e1"').encode(), structured, NOON_MS)
    binary = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e1"),
        ("ce_type", b"view_item"),
        ("ce_time", b"2026-09-21T14:13:20Z"),
    )
    decode(body.encode(), binary, NOON_MS)
    with pytest.raises(Refused, match="twice"):
        decode(body.replace('{"user_id"', '{"user_id": "ann", "user_id"').encode(), binary, NOON_MS)


def test_what_our_client_sends_needs_no_second_look() -> None:
    for made in (
        event(),
        event("e", "ann", "i1", "i2", tenant="shop-2", session_id="s", currency="EUR"),
        event("e", None, anonymous_id="a", query="shoes: red", context={"a": 1, "b": None}),
    ):
        text = msgspec.json.encode(made).decode()
        assert says_no_more(text, msgspec.json.decode(text, type=Event))


KEY = st.sampled_from(["a", "b", '":', " :", "event_id", "x\ny"])
TREE: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(['":', "a b", "\t :"]),
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEY, inner), max_size=3),
    max_leaves=8,
)


def _written(tree: Any, space: str) -> tuple[str, bool]:
    """A tree whose objects are lists of pairs, as JSON; and whether a key stands twice in one."""
    if not isinstance(tree, list):
        return json.dumps(tree), False
    if tree and all(isinstance(pair, tuple) for pair in tree):
        parts = [(json.dumps(k), *_written(v, space)) for k, v in tree]
        twice = len({k for k, _ in tree}) < len(tree) or any(part[2] for part in parts)
        return "{" + ",".join(f"{k}{space}:{v}" for k, v, _ in parts) + "}", twice
    written = [_written(x, space) for x in tree]
    return "[" + ",".join(text for text, _ in written) + "]", any(twice for _, twice in written)


@given(TREE, st.sampled_from(["", " ", "\n", "\t ", "\r\n"]))
def test_a_key_twice_is_seen_wherever_it_stands(tree: Any, space: str) -> None:
    text, twice = _written(tree, space)
    if not twice:
        check_document(text)
        return
    with pytest.raises(Refused) as caught:
        check_document(text)
    assert caught.value.reason is Reason.DUPLICATE_KEY


@given(TREE, st.sampled_from(["", " ", "\n", "\t "]))
def test_the_short_look_never_passes_a_key_twice(tree: Any, space: str) -> None:
    extra, twice = _written(tree, space)
    for text in (with_extra(extra), json.dumps(PLAIN)[:-1] + f',"query"{space}:{extra}}}'):
        try:
            found = msgspec.json.decode(text, type=Event)
        except msgspec.ValidationError:
            continue
        assert not (says_no_more(text, found) and twice)
