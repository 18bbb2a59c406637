"""The few kinds of write that a feature may ask for, and what a feature is.

A feature is a pure pair: which events write what into its field of the shopper's state, and
how the field reads. The fields in force, in order, are the *program*: the Redis function
`recs_apply_v2` runs it inside its atomic call, `replayed.py` runs the same program in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar

import msgspec

from millstream.domain.events import TYPE_ORDER, EventType

T = TypeVar("T")


class Write(IntEnum):
    """Numbers are part of the contract with the Redis function: never reuse one.

    What stands in the state, big-endian; a field that nothing was written to is all zeros. Times
    are seconds since 1970 and end at 2^32 - 1. RECENT and LINKS that are empty at the very end of a
    state are left out. A shopper with 10,000 events in any two days, which
    is as many as are taken, reaches 2^24 after nine years."""

    COUNT = 1  # u24: n
    TALLY = 2  # u24 for each event type, in TYPE_ORDER
    SPAN = 3  # u32 first time, u32 last time, u24 n
    DECAY = 4  # u32 time, then f32 for each half-life: the sum at that time
    RECENT = 5  # u8 n, then n times u32 (item number << 4 | type index), u32 time; newest first
    # u8 n, then n cells of 8 bytes: for each link u32 time, u16 bytes of an anonymous id, the id,
    # and zeros to the end of its last cell; newest first. Written by events that bear both ids.
    LINKS = 6


@dataclass(frozen=True)
class UserFeature(Generic[T]):
    """One field of a shopper's state.

    `on`: the event types that write it. `args`: half-lives in ms for DECAY, the bound for
    RECENT (255 at most) and LINKS (3 at most). `read(stored, now_ms)`: `stored` is an int for
    COUNT, a tuple of numbers for TALLY, SPAN and DECAY, a tuple of Touch for RECENT, of SignIn for
    LINKS."""

    name: str
    write: Write
    on: frozenset[EventType]
    read: Callable[[Any, int], T]
    args: tuple[int, ...] = ()


def compile_program(features: tuple[UserFeature[Any], ...]) -> bytes:
    """The features as the Redis function takes them: msgpack of [kind, flags, args] a field,
    a flag of 0 or 1 for each event type in TYPE_ORDER."""
    return msgspec.msgpack.encode(
        [[int(f.write), [int(kind in f.on) for kind in TYPE_ORDER], list(f.args)] for f in features]
    )
