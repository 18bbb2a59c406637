"""Where counting stands in each partition beside what the log has, and where it is to begin: what
an operator sees and says (`millstream fences`)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.stores.fences import PartitionFences, begin_fence, read_fences
from millstream.stores.keys import Keys
from millstream.streaming.access import access
from millstream.streaming.starting import started
from millstream.streaming.topic_admin import partitions_of

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

EARLIEST, LATEST = "earliest", "latest"
_WHEN = f"{EARLIEST}, {LATEST} or a time such as 2026-05-01T12:00:00+02:00"


@dataclass(frozen=True)
class State:
    """Where the fences are, and of which log: `topic` and `group` by their full names; `group`:
    whose watermark is told, None where no group has one."""

    redis: Redis
    keys: Keys
    slots: int
    topic: str
    group: str | None = None


class Position(Struct, frozen=True):
    """Of one partition. `lowest`, `highest`: the fences of the slots, which differ while some had
    no events for a second; `start`: where counting was told to begin. `watermark`: up to where the
    lists are out, None where no worker ever said. `lag`: records from the lowest fence to the
    log's end. `residue`: records that the ledger has too many of; 0 at rest, None while the slots
    differ."""

    partition: int
    epoch: str
    lowest: int
    highest: int
    start: int
    log_start: int
    log_end: int
    watermark: int | None
    lag: int
    ledger: Mapping[str, int]
    residue: int | None


async def positions(servers: Servers, state: State) -> list[Position]:
    """All partitions of the topic. The embedded broker says too low an end of its log.
    Slots in different epochs are told as "0, 1". Raises OperatorError."""
    async with _log(servers, state) as (consumer, places):
        starts = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        committed = dict.fromkeys(places, None)
        if state.group is not None:
            committed = {place: await consumer.committed(place) for place in places}
    wanted = [(place.topic, place.partition) for place in places]
    fences = await read_fences(state.redis, state.keys, state.slots, wanted)
    epoch = ", ".join(sorted(set(fences.epochs), key=int))
    return [
        _position(
            fences.partitions[at.topic, at.partition],
            epoch,
            at.partition,
            _Log(starts[at], ends[at], committed[at]),
        )
        for at in places
    ]


async def begin_at(
    servers: Servers, state: State, at: str, partition: int | None = None
) -> dict[int, int]:
    """Lets counting begin at `at` ("earliest", "latest" or an ISO time, for the first record of
    then or later) in every partition, or the one named; returns where. May be repeated where it
    was cut short. Raises OperatorError where a partition has a fence already: only another epoch
    could begin anew there; and where `at` can't be read."""
    async with _log(servers, state) as (consumer, all_places):
        places = [place for place in all_places if partition in (None, place.partition)]
        if not places:
            raise OperatorError("--partition", str(partition), f"a number below {len(all_places)}")
        begins = await _begins(consumer, places, at)
    wanted = [(place.topic, place.partition) for place in places]
    fences = await read_fences(state.redis, state.keys, state.slots, wanted)
    for tp in wanted:
        _require_none(tp[1], fences.partitions[tp])
    for tp, offset in zip(wanted, begins, strict=True):
        await begin_fence(state.redis, state.keys, tp, fences.epochs, offset)
    return {tp[1]: offset for tp, offset in zip(wanted, begins, strict=True)}


@dataclass(frozen=True)
class _Log:
    start: int
    end: int
    watermark: int | None


def _position(found: PartitionFences, epoch: str, partition: int, log: _Log) -> Position:
    return Position(
        partition=partition,
        epoch=epoch,
        lowest=found.lowest,
        highest=found.highest,
        start=max(found.starts, default=0),
        log_start=log.start,
        log_end=log.end,
        watermark=log.watermark,
        lag=max(0, log.end - max(found.lowest, log.start)),
        ledger=found.ledger or {},
        residue=found.residue,
    )


def _require_none(partition: int, found: PartitionFences) -> None:
    for slot, known in enumerate(found.known):
        only_begun = found.starts[slot] == found.per_slot[slot] and not found.witnesses[slot]
        if known and not only_begun:
            raise OperatorError(
                f"partition {partition}",
                f"a fence at {found.per_slot[slot]} in slot {slot}",
                "none in any slot",
                "Where another log is counted from now on: `millstream fences bump-epoch` first",
            )


async def _begins(consumer: AIOKafkaConsumer, places: list[TopicPartition], at: str) -> list[int]:
    if at == EARLIEST:
        found = await consumer.beginning_offsets(places)
        return [found[place] for place in places]
    ends = await consumer.end_offsets(places)
    if at == LATEST:
        return [ends[place] for place in places]
    told = await consumer.offsets_for_times(dict.fromkeys(places, _milliseconds(at)))
    return [told[place].offset if told[place] else ends[place] for place in places]


def _milliseconds(at: str) -> int:
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        raise OperatorError("--at", repr(at), _WHEN) from None
    if when.tzinfo is None:
        raise OperatorError("--at", repr(at), f"{_WHEN}; with its offset from UTC, or Z")
    return round(when.timestamp() * 1000)


@contextlib.asynccontextmanager
async def _log(
    servers: Servers, state: State
) -> AsyncIterator[tuple[AIOKafkaConsumer, list[TopicPartition]]]:
    """A consumer that sees the group and is no member of it."""
    places = list(await partitions_of(servers, state.topic))
    consumer = AIOKafkaConsumer(
        **access(servers),
        group_id=state.group,
        enable_auto_commit=False,
    )
    try:
        await started(consumer, servers)
        consumer.assign(places)
        yield consumer, places
    finally:
        await consumer.stop()
