"""A month of made-up traffic for `memory.py`: visits of some events within minutes, by shoppers
with pseudonyms of 22 characters, as ranges of PARTITIONS partitions that advance in step."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from millstream.domain.events import Event, EventType, Line
from millstream.streaming.decode import Arrival, Decoded

DAYS = 30
VISITS, EVENTS_A_VISIT = 5, 4
EVENTS_PER_SHOPPER = VISITS * EVENTS_A_VISIT
PARTITIONS = 12
CHUNK = 500
TOPIC = "bench.memory"
SEED = 1
DAY_MS = 86_400_000
_TYPES = (EventType.VIEW_ITEM, EventType.ADD_TO_CART, EventType.PURCHASE)
_MIX = (0.90, 0.07, 0.03)
_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Size:
    users: int
    items: int


@dataclass(frozen=True)
class Load:
    """Of one shopper's events a column each; `at_ms` (users, events), the others alike."""

    users: tuple[str, ...]
    at_ms: np.ndarray[Any, np.dtype[np.int64]]
    items: np.ndarray[Any, np.dtype[np.int64]]
    kinds: np.ndarray[Any, np.dtype[np.int64]]


def make(size: Size, start_ms: int) -> Load:
    rng = np.random.default_rng(SEED)
    raw = rng.bytes(16 * size.users)
    users = [
        base64.urlsafe_b64encode(raw[at : at + 16]).decode().rstrip("=")
        for at in range(0, len(raw), 16)
    ]
    visits = rng.integers(DAYS * DAY_MS, size=(size.users, VISITS, 1))
    within = rng.integers(10 * _MINUTE_MS, size=(size.users, VISITS, EVENTS_A_VISIT))
    shape = (size.users, EVENTS_PER_SHOPPER)
    return Load(
        tuple(users),
        start_ms + (visits + within).reshape(shape),
        rng.integers(size.items, size=shape),
        rng.choice(len(_TYPES), size=shape, p=_MIX),
    )


def chunks(load: Load) -> Iterator[list[Decoded]]:
    """Sets of ranges, one for each partition that has a part, in the order of log time: CHUNK
    events a set. A shopper's partition is fixed."""
    order = np.argsort(load.at_ms, axis=None, kind="stable")
    offsets = [0] * PARTITIONS
    for begin in range(0, len(order), CHUNK):
        found: list[list[Arrival]] = [[] for _ in range(PARTITIONS)]
        for flat in order[begin : begin + CHUNK].tolist():
            user = flat // EVENTS_PER_SHOPPER
            partition = user % PARTITIONS
            at = offsets[partition] + len(found[partition])
            found[partition].append(_arrival(load, flat, partition, at))
        yield [_range(p, offsets[p], arrivals) for p, arrivals in enumerate(found) if arrivals]
        offsets = [at + len(arrivals) for at, arrivals in zip(offsets, found, strict=True)]


def _arrival(load: Load, flat: int, partition: int, offset: int) -> Arrival:
    user, place = divmod(flat, EVENTS_PER_SHOPPER)
    at_ms = int(load.at_ms[user, place])
    event = Event(
        event_id=f"{partition}-{offset}",
        type=_TYPES[load.kinds[user, place]],
        time=datetime.fromtimestamp(at_ms / 1000, UTC),
        user_id=load.users[user],
        items=(Line(item_name(int(load.items[user, place]))),),
    )
    return Arrival(offset, at_ms, event, (), partition)


def _range(partition: int, start: int, arrivals: Sequence[Arrival]) -> Decoded:
    to, clock_ms = start + len(arrivals), max(arrival.log_ms for arrival in arrivals)
    return Decoded(TOPIC, partition, start, to, clock_ms, f"{to - 1}:made", arrivals, [])


def item_name(number: int) -> str:
    return f"sku-{number:06d}"
