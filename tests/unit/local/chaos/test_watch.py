"""What the watch reads and finds broken: a harness that can't fail would prove nothing."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from millstream.local.chaos.oracle import Oracle, Place
from millstream.local.chaos.verdict import Verdict, _compare_users
from millstream.local.chaos.watch import Slot, Watch, Where, parse_slot, residue, sums, torn
from millstream.local.chaos.wire import RedisSaidNo, wired
from millstream.local.valkey import Valkey

TOPIC = "c1.shop.events.v1"


@pytest.mark.parametrize("at", [f"{TOPIC}:3", f"0:{TOPIC}:3"])
def test_both_layouts_of_a_slots_fields_are_read(at: str) -> None:
    held = {f"t:{at}": "17", f"w:{at}": "16:ab", f"acc:{at}": "9", "t:other:1": "5"}
    slot = parse_slot({k.encode(): v.encode() for k, v in held.items()}, TOPIC)
    assert slot.fences == {3: 17}
    assert slot.ledger == {("acc", 3): 9}


def test_the_fields_of_an_epoch_that_is_over_are_passed_by() -> None:
    held = {b"epoch": b"2", b"t:1:c1.shop.events.v1:0": b"90", b"t:2:c1.shop.events.v1:0": b"7"}
    assert parse_slot(held, TOPIC).fences == {0: 7}


def test_a_record_without_a_place_and_one_with_two_do_not_make_up_for_each_other() -> None:
    slots = [Slot(ledger=Counter({("acc", 0): 4, ("acc", 1): 6, ("itm", 1): 50}))]
    assert residue(slots, {0: 5, 1: 5}) == {0: -1, 1: 1}
    assert residue(slots, {0: 4, 1: 6}) == {}
    assert sums(slots)["acc"] == 10


def test_a_fence_that_falls_is_told_unless_a_fault_rolls_back() -> None:
    watch = Watch(Where(1, "", TOPIC, 1), random.Random(1))
    watch._see([Slot(fences={0: 9})], 1.0)
    watch.rolling = True
    watch._see([Slot(fences={0: 5})], 2.0)
    assert watch.violations == []
    watch.rolling = False
    watch._see([Slot(fences={0: 4})], 3.0)
    assert watch.violations == ["I3: slot 0 of partition 0 fell to 4"]


def test_a_fence_that_a_wipe_took_may_come_back_lower() -> None:
    watch = Watch(Where(1, "", TOPIC, 1), random.Random(1))
    watch._see([Slot(fences={0: 9})], 1.0)
    watch.rolling = True
    watch._see([Slot()], 2.0)
    watch.rolling = False
    watch._see([Slot(fences={0: 3})], 3.0)
    assert watch.violations == []


def test_what_a_shopper_lacks_and_what_an_erased_one_has_are_told_apart() -> None:
    oracle = Oracle()
    for offset, (user, kind) in enumerate((("ann", "view_item"), ("bob", "erase"))):
        items = ',"items":[{"item_id":"i"}]' if kind != "erase" else ""
        value = f'{{"event_id":"{offset}","type":"{kind}","time":"2026-01-01T00:00:00Z",'
        oracle.add(
            Place(0, offset, 1_767_225_600_000), f'{value}"user_id":"{user}"{items}}}'.encode()
        )
    verdict = Verdict()
    _compare_users({("default", "bob", "purchase"): 2}, oracle.due({0: 2}), verdict)
    assert (verdict.lost, verdict.doubled, verdict.resurrected) == (1, 2, 2)
    assert len(verdict.violations) == 2


@pytest.fixture(scope="module")
def server() -> object:
    with Valkey() as started:
        yield started


async def test_a_torn_slot_is_seen(server: Valkey) -> None:
    where = Where(int(server.url.rpartition(":")[2].removesuffix("/0")), "t:", TOPIC, 1)
    async with wired(where.port) as wire:
        await wire.call("HSET", "t:f:{0}", f"itm:{TOPIC}:0", 3)
        await wire.call("HSET", "t:i:{0}:default", "0|a", 2)
        assert await torn(wire, where, 0) == "I4: slot 0 counts 2 lines of 3"
        await wire.call("HSET", "t:i:{0}:shop-2", "0|a", 1)
        assert await torn(wire, where, 0) is None


async def test_a_refused_command_is_no_fault_that_was_injected(server: Valkey) -> None:
    port = int(server.url.rpartition(":")[2].removesuffix("/0"))
    async with wired(port) as wire:
        with pytest.raises(RedisSaidNo, match="unknown command"):
            await wire.call("NOSUCH")
        assert await wire.call("PING") == b"PONG"
