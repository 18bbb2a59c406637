"""The oracle at work, in a process of its own: what the log says is due, what lists went out."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from millstream.local.chaos.apart import apart
from millstream.local.chaos.oracle import Due, Oracle, Place, ShopperKey
from millstream.local.recount import broker_ends, read_records

LETTERS = ".dlq"
PLACE = ("millstream.error.partition", "millstream.error.offset")


@dataclass(slots=True)
class Shown:
    """What went out for one shopper, in the order of the lists' topic."""

    newest: tuple[int, int, int] = (-1, -1, -1)
    per_partition: dict[int, int] = field(default_factory=dict)
    tombstone_last: bool = False
    tombstones: int = 0


@dataclass(slots=True)
class Reading:
    """`served`: versions of models; `letters`: the places that dead letters name."""

    due: Due
    shown: defaultdict[ShopperKey, Shown]
    served: set[str]
    letters: set[tuple[int, int]]


async def read_apart(servers: str, events: str, lists: str) -> Reading:
    found: Reading = await apart("millstream.local.chaos.read", servers, events, lists)
    return found


async def read_all(servers: str, events: str, lists: str) -> Reading:
    due = await _due(servers, events)
    shown: defaultdict[ShopperKey, Shown] = defaultdict(Shown)
    served: set[str] = set()
    async for record in read_records(servers, lists, await broker_ends(servers, lists)):
        tenant, _, shopper = (record.key or b"").decode().partition(":")
        served.add(show(shown[tenant, shopper], record.value))
    return Reading(due, shown, served, await letters_of(servers, f"{events}{LETTERS}"))


async def _due(servers: str, topic: str) -> Due:
    ends = await broker_ends(servers, topic)
    oracle = Oracle()
    async for record in read_records(servers, topic, ends):
        oracle.add(Place(record.partition, record.offset, record.timestamp), record.value)
    return oracle.due(ends)


async def letters_of(servers: str, topic: str) -> set[tuple[int, int]]:
    found = set()
    async for record in read_records(servers, topic, await broker_ends(servers, topic)):
        headers = dict(record.headers)
        partition, offset = (int(headers[name]) for name in PLACE)
        found.add((partition, offset))
    return found


def show(shown: Shown, value: bytes | None) -> str:
    """The version of the list's model; empty for a tombstone."""
    shown.tombstone_last = value is None
    if value is None:
        shown.tombstones += 1
        return ""
    body = json.loads(value)
    log_ms = round(datetime.fromisoformat(body["log_time"]).timestamp() * 1000)
    partition, offset = body["origin"]["partition"], body["origin"]["offset"]
    shown.newest = max(shown.newest, (log_ms, partition, offset))
    shown.per_partition[partition] = max(shown.per_partition.get(partition, -1), offset)
    return str(body["model_version"])
