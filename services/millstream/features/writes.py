"""The few kinds of write that a feature may ask for, and what a feature is.

A feature is a pure pair: which events write what into its field of the shopper's state, and
how the field reads. The fields in force, in order, are the *program*: the Redis function
`recs_apply_v1` runs it inside its atomic call, `replayed.py` runs the same program in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Generic, TypeVar

import msgspec

from millstream.domain.events import TYPE_ORDER, EventType

T = TypeVar("T")


class Write(IntEnum):
    """Numbers are part of the contract with the Redis function: never reuse one."""

    COUNT = 1  # n
    TALLY = 2  # [n of each event type, in TYPE_ORDER]
    SPAN = 3  # [first ms, last ms, n]
    DECAY = 4  # [at ms, sum under half-life 1, sum under half-life 2, ...]
    RECENT = 5  # [n, "item\ttype index\tms in hex\n" * n], newest first, each item once


@dataclass(frozen=True)
class UserFeature(Generic[T]):
    """One field of a shopper's state.

    `on`: the event types that write it. `args`: half-lives in ms for DECAY, the bound for
    RECENT. `read(stored, now_ms)`: `stored` is the field as the kind lays it out, or False
    where nothing was written yet."""

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
