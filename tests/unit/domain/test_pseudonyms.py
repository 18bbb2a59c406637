"""Pseudonyms: the same for the same, another for everything else, and nothing raw beside them."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS, event

from millstream.domain.decode import decode
from millstream.domain.events import Event, EventType, is_clean_id
from millstream.domain.identity import record_key
from millstream.domain.pseudonyms import KEY_BYTES, MASK, PSEUDONYM_CHARS, Pseudonyms

KEY = bytes(range(KEY_BYTES))
OURS = Pseudonyms(KEY, "default")

raw_ids = st.text(min_size=1, max_size=128).filter(is_clean_id)


def wire(said: Event) -> bytes:
    return msgspec.json.encode(OURS.event(said))


def test_the_construction_is_the_documented_one() -> None:
    """Reckoned by openssl: another implementation must come to the same."""
    assert OURS.shopper("17850") == "34uyAm4z0fuC44aeqaqrvg"


@given(raw_ids)
def test_any_id_becomes_one_that_the_wire_takes(raw: str) -> None:
    made = OURS.shopper(raw)
    assert re.fullmatch(rf"~?[A-Za-z0-9_-]{{{PSEUDONYM_CHARS}}}", made)
    assert made == Pseudonyms(KEY, "default").shopper(raw)
    if not raw.startswith("~"):
        said = event("e1", raw, at_ms=NOON_MS)
        assert decode(wire(said), (), NOON_MS).shopper == made


def test_another_key_tenant_or_field_is_another_pseudonym() -> None:
    ours = {OURS.shopper("u"), OURS.shopper("~u")[1:], OURS.shopper("v")}
    others = {
        Pseudonyms(KEY[::-1], "default").shopper("u"),
        Pseudonyms(KEY, "other").shopper("u"),
    }
    made = OURS.event(event("u", "u", session_id="u", transaction_id="u", anonymous_id="u"))
    ids = (made.event_id, made.user_id, made.anonymous_id, made.session_id, made.transaction_id)
    assert len(set(ids)) == 5
    assert len(ours) == 3
    assert not ours & others


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms(b"k" * length, "default")


def test_an_event_keeps_what_it_says_and_loses_whom_it_names() -> None:
    said = event(
        "order-4711",
        "jane.doe",
        "i1",
        kind=EventType.PURCHASE,
        anonymous_id="cookie-77",
        session_id="jane.doe-1",
        transaction_id="4711",
        recommendation_id="r-1",
        currency="EUR",
    )
    made = OURS.event(said)
    unchanged = ("type", "time", "tenant", "items", "recommendation_id", "currency")
    assert [getattr(made, name) for name in unchanged] == [getattr(said, n) for n in unchanged]
    assert made.shopper == OURS.shopper("jane.doe")
    for raw in (b"jane", b"cookie", b"4711"):
        assert raw not in wire(said)
        assert raw not in record_key(made.tenant, made.shopper)


def test_a_retry_has_the_same_ids() -> None:
    said = event("e7", "u")
    assert OURS.event(said) == OURS.event(msgspec.structs.replace(said))
    assert OURS.event(said).event_id != OURS.event(event("e8", "u")).event_id


def test_an_id_that_is_repeated_in_free_text_is_masked_and_other_words_stay() -> None:
    said = event(
        "e1",
        "17850",
        kind=EventType.SEARCH,
        query="orders of 17850, not 178501",
        context={"customer": 17850, "page": 17851, "17850": "x17850", "who": "17850/a", "on": True},
    )
    made = OURS.event(said)
    assert made.query == f"orders of {MASK}, not 178501"
    assert made.context == {
        "customer": MASK,
        "page": 17851,
        MASK: "x17850",
        "who": f"{MASK}/a",
        "on": True,
    }


@given(raw_ids, st.text(max_size=256))
def test_masking_never_makes_a_text_too_long_for_the_wire(raw: str, query: str) -> None:
    made = OURS.event(event("e1", raw, query=query, context={"q": query}))
    assert made.query is not None
    assert len(made.query) <= len(query)
    assert all(len(str(value)) <= len(query) for value in made.context.values())
