"""The oracle's rule, and that it agrees with the wire on what is an event at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from millstream.domain.decode import decode
from millstream.domain.errors import Refused
from millstream.local.chaos.oracle import HORIZON_MS, MOST_IDS, Oracle, Place
from millstream.local.chaos.oracle_event import NoEvent, read
from millstream.local.chaos.traffic import POISONS, Kind, Mix, Shop, Traffic

NOW = 1_790_000_000_000


def event(event_id: str, at_ms: int = 0, kind: str = "view_item", **more: Any) -> bytes:
    seconds = (NOW + at_ms) / 1000
    from datetime import UTC, datetime

    body = {
        "event_id": event_id,
        "type": kind,
        "time": datetime.fromtimestamp(seconds, UTC).isoformat(),
        "user_id": "ann",
        **more,
    }
    if kind != "erase":
        body["items"] = [{"item_id": "i1"}]
    return json.dumps(body).encode()


def fed(*records: tuple[bytes, int]) -> Oracle:
    """Values with their log times after NOW, on one partition."""
    oracle = Oracle()
    for offset, (value, log_ms) in enumerate(records):
        oracle.add(Place(0, offset, NOW + log_ms), value)
    return oracle


@pytest.mark.parametrize("number", range(len(POISONS)))
def test_no_poison_is_an_event_to_the_decoder_or_to_the_oracle(number: int) -> None:
    with pytest.raises(Refused):
        decode(POISONS[number], (), NOW)
    with pytest.raises(NoEvent):
        read(POISONS[number], NOW)


def test_what_the_traffic_calls_an_event_is_one_to_both() -> None:
    traffic = Traffic(1, Shop(4), Mix(poison=0.0), lambda: NOW)
    for shipment, _ in zip(traffic, range(500), strict=False):
        mine, theirs = read(shipment.value, NOW), decode(shipment.value, (), NOW)
        assert (mine.event_id, mine.tenant, mine.shopper, mine.kind, mine.time_ms) == (
            theirs.event_id,
            theirs.tenant,
            theirs.shopper,
            theirs.type,
            theirs.time_ms,
        )
        assert mine.items == tuple(line.item_id for line in theirs.items)


def test_each_record_has_one_place_in_the_ledger() -> None:
    oracle = fed(
        (event("a"), 0),
        (event("a"), 5),
        (event("b", -HORIZON_MS - 1), 0),
        (event("c", -HORIZON_MS), 0),
        (b"{", 0),
        (event("x", 10, "erase"), 10),
        (event("d", 9), 20),
        (event("e", 11), 20),
        (event("x", 10, "erase"), 30),
    )
    assert oracle.ledger == {"acc": 4, "dup": 1, "late": 1, "bad": 1, "era": 2}
    assert oracle.users() == {("default", "ann", "view_item"): 1}
    assert oracle.erased() == {("default", "ann")}
    assert oracle.items == {("default", "i1", "view_item"): 3}


def test_an_erase_from_a_clock_ahead_is_counted_once() -> None:
    oracle = fed((event("x", 900, "erase"), 10), (event("x", 900, "erase"), 20))
    assert oracle.ledger == {"acc": 1, "dup": 1}


def test_a_shopper_with_too_many_ids_is_over_and_known_ids_still_repeat() -> None:
    records = [(event(f"e{n}"), 0) for n in range(MOST_IDS + 2)]
    oracle = fed(*records, (event("e0"), 0))
    assert oracle.ledger == {"acc": MOST_IDS, "over": 2, "dup": 1}


def test_the_newest_accepted_event_is_remembered_for_its_list() -> None:
    oracle = fed((event("a"), 0), (event("b"), 7), (event("b"), 9))
    newest = oracle.shoppers["default", "ann"].newest
    assert newest is not None
    assert (newest.offset, newest.log_ms) == (1, NOW + 7)


def test_of_an_events_copies_the_earliest_is_owed_a_list() -> None:
    oracle = Oracle()
    oracle.add(Place(2, 0, NOW + 9), event("a"))
    oracle.add(Place(1, 0, NOW + 4), event("a"))
    assert oracle.shoppers["default", "ann"].newest == Place(1, 0, NOW + 4)


def test_the_traffic_is_the_same_for_the_same_seed_and_has_its_shares() -> None:
    def made(seed: int) -> list[Any]:
        traffic = Traffic(seed, Shop(4), Mix(), lambda: NOW)
        return [shipment for shipment, _ in zip(traffic, range(20_000), strict=False)]

    first = made(3)
    assert first == made(3) != made(4)
    shares = {kind: sum(x.kind is kind for x in first) / len(first) for kind in Kind}
    assert 0.08 < shares[Kind.REPEAT] < 0.12
    assert 0.005 < shares[Kind.POISON] < 0.015
    assert 0.01 < shares[Kind.LATE] < 0.03
    assert shares[Kind.ERASE] > 0
    stay = [x for x in first if b":leaving" in x.key]
    assert len({(x.key, x.partition) for x in stay}) == len({x.key for x in stay})
