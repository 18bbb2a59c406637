"""Who gives up lists while a worker is behind, and that nobody's counts do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import NOON_MS, TOPIC, arrival, event, record
from tests.unit.recommender.conftest import SLOTS, MemoryProducer

from millstream.domain.events import EventType
from millstream.domain.identity import ShopperName
from millstream.recommender import telemetry
from millstream.recommender.fair_shares import GROWTH, LEAST, LEAST_SHARE, FairShares, even_parts
from millstream.recommender.pipeline import Part, Stages, answer, prepare
from millstream.recommender.pipeline import record as count
from millstream.streaming.cursor import Cursor
from millstream.streaming.decode import Arrival

BEHIND_MS = 300
ASKED = st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1_000), min_size=1)


@given(ASKED, st.integers(1, 600))
def test_parts_are_max_min_fair(asked: dict[str, int], room: int) -> None:
    parts = even_parts(asked, room)
    assert parts.keys() == asked.keys()
    assert all(1 <= parts[tenant] <= asked[tenant] for tenant in asked)
    assert sum(parts.values()) <= max(room, len(asked))
    cut = [parts[tenant] for tenant in asked if parts[tenant] < asked[tenant]]
    assert not cut or max(parts.values()) <= min(cut) + 1, "nobody has more than one who is cut"
    assert not cut or sum(parts.values()) >= min(room, sum(asked.values())), "nothing is left over"


def portion(age_ms: int, **many: int) -> dict[ShopperName, Arrival]:
    """So many shoppers of each tenant; the later the name, the newer."""
    found = {}
    for tenant, n in many.items():
        for at in range(n):
            one = event(f"{tenant}-{at}", f"s{at:04}", tenant=tenant)
            found[tenant, f"s{at:04}"] = arrival(one, at, log_ms=NOON_MS - age_ms - (n - 1) + at)
    return found


def kept(shares: FairShares, due: dict[ShopperName, Arrival]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for tenant, shopper in shares.kept(due):
        found.setdefault(tenant, []).append(shopper)
    return found


def settled(**tenants: int) -> FairShares:
    """After it was behind for long."""
    shares = FairShares(BEHIND_MS, lambda: NOON_MS)
    for _ in range(5):
        shares.kept(portion(5_000, **tenants))
    return shares


def test_who_asks_for_more_than_an_even_part_gives_up_the_oldest() -> None:
    before = telemetry.totals().get("lists_given_up.loud", 0)
    shares = settled(loud=1, quiet=1)
    found = kept(shares, portion(5_000, loud=498, quiet=2))
    assert found["quiet"] == ["s0000", "s0001"]
    stay = int(500 * LEAST_SHARE) - 2
    assert found["loud"] == [f"s{at:04}" for at in range(498 - stay, 498)]
    assert telemetry.totals()["lists_given_up.loud"] - before == 498 - stay
    assert "lists_given_up.quiet" not in telemetry.totals()


def test_also_while_the_others_are_silent() -> None:
    """What it were to leave behind would stand before their next event."""
    shares = settled(loud=1, quiet=1)
    assert len(kept(shares, portion(5_000, loud=400))["loud"]) == 400 * LEAST_SHARE


def test_of_few_everyone_gets_some() -> None:
    shares = settled(loud=1, quiet=1)
    found = kept(shares, portion(5_000, loud=30, quiet=LEAST // 2))
    assert {tenant: len(names) for tenant, names in found.items()} == {
        "loud": LEAST // 2,
        "quiet": LEAST // 2,
    }


def test_who_is_quiet_loses_none_where_the_log_has_theirs_at_once() -> None:
    """A worker that catches up may read what a quiet one sent while the flood drew breath."""
    shares = FairShares(BEHIND_MS, lambda: NOON_MS)
    for _ in range(10):
        shares.kept(portion(5_000, loud=490, quiet=5))
    found = kept(shares, portion(5_000, loud=20, quiet=30))
    assert len(found["quiet"]) == 30
    assert len(found["loud"]) == 1
    for _ in range(10):
        shares.kept(portion(5_000, loud=20, quiet=200))
    assert len(kept(shares, portion(5_000, loud=20, quiet=200))["quiet"]) < 30, "quiet no longer"


@pytest.mark.parametrize(
    ("many", "behind_ms", "age_ms"),
    [
        ({"loud": 400}, BEHIND_MS, 5_000),
        ({"loud": 400, "quiet": 1}, 0, 5_000),
        ({"loud": 400, "quiet": 1}, BEHIND_MS, BEHIND_MS),
    ],
    ids=["one tenant alone", "switched off", "not behind"],
)
def test_nothing_is_given_up(many: dict[str, int], behind_ms: int, age_ms: int) -> None:
    shares, due = FairShares(behind_ms, lambda: NOON_MS), portion(age_ms, **many)
    for _ in range(5):
        assert shares.kept(due) == due


def test_the_room_halves_while_behind_and_grows_again_by_and_by() -> None:
    shares = FairShares(BEHIND_MS, lambda: NOON_MS)
    rooms = [len(shares.kept(portion(5_000, loud=499, quiet=1))) for _ in range(4)]
    assert rooms == [250, 125, 62, 62]
    rooms = [len(shares.kept(portion(0, loud=499, quiet=1))) for _ in range(3)]
    assert rooms == [int(500 * (LEAST_SHARE + GROWTH * n)) for n in (1, 2, 3)]


def test_an_erasure_is_always_answered() -> None:
    shares = settled(loud=1, quiet=1)
    erased = arrival(event("gone", "zoe", tenant="loud", kind=EventType.ERASE), 0, log_ms=0)
    due = portion(5_000, loud=400) | {("loud", "zoe"): erased}
    assert ("loud", "zoe") in shares.kept(due)


async def test_what_gets_no_list_is_counted(stages: Stages, producer: MemoryProducer) -> None:
    behind = replace(stages, fair=FairShares(BEHIND_MS, lambda: NOON_MS + 5_000))
    who = [("loud", f"s{n}") for n in range(200)] + [("quiet", "ann")]
    log = [record(event(f"e{n}", s, tenant=t), n) for n, (t, s) in enumerate(who)]
    behind.recorder.resume({(TOPIC, 0): [0] * SLOTS}, "0")
    ready = await prepare([Part((TOPIC, 0), log, 0, Cursor(expected=0, publish_from=0))], behind)
    recorded = await count(ready, behind)
    await (await answer(ready, recorded, behind, lambda: None)).durable()
    assert recorded.verdicts == {"a": len(who)}
    listed = [(sent.made.tenant, sent.made.user) for sent in producer.to("lists")]
    assert len(listed) == len(who) // 2
    assert ("quiet", "ann") in listed
