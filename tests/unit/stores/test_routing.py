"""Which node a command goes to: the cluster's own rule, and what its nodes tell."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from redis.crc import REDIS_CLUSTER_HASH_SLOTS

from millstream.stores.cluster.routing import Address, SlotMap, hash_slot, reached
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS

A, B, C = (Address("10.0.0.1", port) for port in (7000, 7001, 7002))
THIRDS = [[0, 5460, [b"10.0.0.1", 7000]], [5461, 10922, [None, 7001]], [10923, 16383, [b"", 7002]]]


def thirds() -> SlotMap:
    found = SlotMap()
    found.take(THIRDS, A)
    return found


@pytest.mark.parametrize(
    ("command", "slot"),
    [
        # The specification's own examples: CRC16 of "123456789" is 0x31C3.
        (("GET", "123456789"), 0x31C3),
        (("GET", b"123456789"), 0x31C3),
        (("HSET", "a{123456789}b", "f", "v"), 0x31C3),
        (("FCALL", "f", 2, "x{123456789}", "y{123456789}", "z"), 0x31C3),
        (("fcall_ro", "f", "1", b"123456789", "z"), 0x31C3),
        (("MEMORY USAGE", "123456789"), 0x31C3),
    ],
)
def test_a_command_goes_by_its_first_key(command: tuple[Any, ...], slot: int) -> None:
    assert hash_slot(command) == slot


@pytest.mark.parametrize(
    "command",
    [("PING",), ("INFO", "memory"), ("FUNCTION LOAD", "x"), ("scan", 0), ("FCALL", "f", 0, "a")],
)
def test_a_command_without_a_key_is_not_sent_to_just_any_node(command: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="names no key"):
        hash_slot(command)


def test_the_map_is_as_the_node_tells_it() -> None:
    found = thirds()
    owners = [found.owner(slot) for slot in (0, 5460, 5461, 10922, 10923, 16383)]
    assert owners == [A, A, B, B, C, C], "where a node tells no host, it is the one that was asked"
    assert found.masters == (A, B, C)


def test_a_slot_that_no_row_names_has_no_owner() -> None:
    found = thirds()
    found.take(THIRDS[:2], A)
    assert found.owner(16383) is None
    assert found.masters == (A, B)


def test_a_slot_that_moved_alone_brings_its_owner() -> None:
    found, new = thirds(), Address("10.0.0.4", 7003)
    before = found.generation
    found.moved(77, new)
    assert [found.owner(slot) for slot in (76, 77, 78)] == [A, new, A]
    assert found.masters == (A, B, C, new)
    assert found.generation == before, "who waits for the whole map still reads it"


def test_an_unknown_host_is_the_one_that_answered() -> None:
    assert [reached(host, 1, A).host for host in (None, "", "?", b"x")] == ["10.0.0.1"] * 3 + ["x"]


def test_our_slots_are_spread_over_three_masters() -> None:
    """Each slot is 1/16 of the state: the fullest master holds 6/16 instead of a third."""
    keys, found = Keys("ms:"), thirds()
    owners = Counter(
        found.owner(hash_slot(("HGET", keys.fences(slot), "epoch")))
        for slot in range(DEFAULT_SLOTS)
    )
    assert owners == {A: 6, B: 6, C: 4}
    assert REDIS_CLUSTER_HASH_SLOTS == 16_384
