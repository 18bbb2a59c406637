"""What the recommenders' consumer group left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from millstream.domain.errors import OperatorError
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.fences import FIRST_EPOCH
from millstream.streaming.access import access
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS

PATIENCE_S = 15.0
POLL_S = 0.2
_EMPTY = ("Empty", "Dead", "")


@dataclass(frozen=True, slots=True)
class Left:
    """`watermarks`: by partition the offset up to which lists, and letters, are out; of `epoch`,
    the last in which one was written."""

    epoch: str
    watermarks: Mapping[int, int]


async def left_behind(
    settings: RecommenderSettings, partitions: Sequence[int], *, look_for_members: bool
) -> Left:
    """Of an empty group. Waits for PATIENCE_S, in which a member that died is noticed; raises
    OperatorError where there are members then."""
    group, topic = settings.topic(settings.group), settings.topic(EVENTS)
    servers = settings.brokers
    admin = AIOKafkaAdminClient(**access(servers))
    try:
        await started(admin, servers)
        if look_for_members:
            await require_empty(admin, group, "recommenders")
        places = [TopicPartition(topic, partition) for partition in partitions]
        return left_of(await admin.list_consumer_group_offsets(group, partitions=places))
    except GroupCoordinatorNotAvailableError:  # before the first group of a cluster there is none
        return Left(FIRST_EPOCH, {})
    except KafkaError as error:
        raise OperatorError(
            f"group {group}",
            f"{type(error).__name__} from the cluster",
            "a group that it describes",
            "Check the brokers' health",
        ) from None
    finally:
        await admin.close()


async def require_empty(admin: AIOKafkaAdminClient, group: str, who: str) -> None:
    """Waits as `left_behind` does. Raises OperatorError."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        [answer] = await admin.describe_consumer_groups([group])
        _, _, state, _, _, members, *_ = answer.groups[0]
        if state in _EMPTY or not members:
            return
        if asyncio.get_running_loop().time() > deadline:
            raise OperatorError(
                f"group {group}",
                f"{len(members)} members",
                "none: what is rebuilt is counted once either way, but slowly by two",
                f"Stop the {who} (scale to 0, or SIGTERM), then run it again",
            )
        await asyncio.sleep(POLL_S)


def left_of(committed: Mapping[TopicPartition, OffsetAndMetadata]) -> Left:
    """A watermark of an earlier epoch is one of another log; one that names none is of the first,
    and one that someone else wrote is none."""
    found = {
        place.partition: (at.offset, at.metadata or FIRST_EPOCH)
        for place, at in committed.items()
        if at.offset >= 0 and (at.metadata or FIRST_EPOCH).isdecimal()
    }
    epoch = max((epoch for _, epoch in found.values()), key=int, default=FIRST_EPOCH)
    return Left(epoch, {number: at for number, (at, of) in found.items() if of == epoch})
