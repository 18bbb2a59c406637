"""Which node of a Redis Cluster answers for a command; pure.

Redis asks its clients to keep this map themselves: a node answers for its own hash slots only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

_KEYLESS = frozenset(
    (
        *("ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "DEBUG", "FLUSHALL"),
        *("FLUSHDB", "FUNCTION", "INFO", "KEYS", "LATENCY", "PING", "RANDOMKEY", "SCAN"),
        *("SCRIPT", "SHUTDOWN", "SLOWLOG", "SWAPDB", "TIME", "WAIT", "WAITAOF"),
    )
)
_COUNTED = frozenset({"FCALL", "FCALL_RO"})
"""Name, function, number of keys, first key."""
_UNKNOWN_HOST = ("", "?")
"""How a node says "the host by which you reached me"."""


class Address(NamedTuple):
    host: str
    port: int


def hash_slot(command: Sequence[Any]) -> int:
    """Of the command's first key. Raises ValueError for one without a key: it would reach a single
    node where all are meant."""
    name = str(command[0]).partition(" ")[0].upper()
    at = 3 if name in _COUNTED else 1
    if name in _KEYLESS or len(command) <= at or (name in _COUNTED and int(command[2]) == 0):
        raise ValueError(f"{name} names no key: it goes to every master (on_every_master)")
    key = command[at]
    return int(key_slot(key if isinstance(key, bytes) else str(key).encode()))


def reached(host: bytes | str | None, port: int, by: Address) -> Address:
    """The address a node told us, where `by` is the one that told."""
    name = host.decode() if isinstance(host, bytes) else host
    return Address(by.host if name is None or name in _UNKNOWN_HOST else name, int(port))


class SlotMap:
    """Hash slot -> master, as far as it was told."""

    def __init__(self) -> None:
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._masters: tuple[Address, ...] = ()
        self.generation = 0
        """Grows with every map taken."""

    @property
    def masters(self) -> tuple[Address, ...]:
        """Those that own slots."""
        return self._masters

    def owner(self, slot: int) -> Address | None:
        """None: no master that we know of."""
        return self._owners[slot]

    def take(self, rows: Iterable[Sequence[Any]], told_by: Address) -> None:
        """Replaces the map. `rows`: the reply to CLUSTER SLOTS, [first, last, [host, port, ...],
        replicas ...] each."""
        owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, master, *_ in rows:
            address = reached(master[0], master[1], told_by)
            owners[first : last + 1] = [address] * (last + 1 - first)
        self._owners = owners
        self._masters = tuple(sorted({owner for owner in owners if owner is not None}))
        self.generation += 1

    def moved(self, slot: int, to: Address) -> None:
        self._owners[slot] = to
        self._masters = tuple(sorted({*self._masters, to}))
