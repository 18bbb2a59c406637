"""Ids in paths, whatever they hold."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millstream.domain.events import is_clean_id
from millstream.gateway.paths import item_of, literal, shopper_of
from millstream.gateway.problems import Refusal

IDS = st.text(min_size=1, max_size=20).filter(is_clean_id)


@given(IDS)
def test_an_id_comes_through_as_one_segment(item_id: str) -> None:
    raw = f"/v1/items/{quote(item_id, safe='')}/similar".encode()
    _, v1, items, segment, similar = literal(raw).split("/")
    assert (v1, items, similar) == ("v1", "items", "similar")
    assert item_of(segment) == item_id


@pytest.mark.parametrize("segment", ["", "~", "{", "a%00", "x" * 129, "%E2%80%AE", "a%0Ab"])
def test_what_no_event_can_carry_is_refused(segment: str) -> None:
    with pytest.raises(Refusal) as refused:
        shopper_of(literal(segment.encode()))
    assert refused.value.status == 400
    assert segment.strip("~{") not in refused.value.detail or not segment.strip("~{")


def test_an_anonymous_shopper_may_have_the_longest_id() -> None:
    assert shopper_of("~" + "x" * 128) == "~" + "x" * 128
