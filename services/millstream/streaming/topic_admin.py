"""Topics on a cluster: created when missing, compared with deploy/topics.yaml when there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.streaming.access import access
from millstream.streaming.starting import started
from millstream.streaming.topics import TopicSpec, deployed, difference, topic_config

VISIBLE_WITHIN_S = 30.0
POLL_S = 0.05


async def create_topics(
    servers: Servers,
    specs: Sequence[TopicSpec],
    *,
    prefix: str = "",
    replay: bool = False,
    partitions: int | None = None,
) -> tuple[str, ...]:
    """Creates what is missing, waits until every partition has a leader, and returns the new names.

    Existing topics are never altered, only compared: raises OperatorError where partitions,
    cleanup policy or timestamp type differ, and where the cluster is away or refuses. Tansu tells
    the settings back as they were given but acts on none of them."""
    wanted = deployed(specs, prefix=prefix, partitions=partitions)
    async with _admin(servers) as admin:
        before = await _leaders(admin)
        missing = {name: spec for name, spec in wanted.items() if name not in before}
        await _create(admin, missing, replay=replay)
        await _await_leaders(admin, wanted)
        existing = {name: spec for name, spec in wanted.items() if name in before}
        await _compare(admin, existing, replay=replay)
    return tuple(missing)


async def check_topics(
    servers: Servers,
    specs: Sequence[TopicSpec],
    *,
    prefix: str = "",
    replay: bool = False,
    partitions: int | None = None,
) -> None:
    """Creates nothing. Raises OperatorError at the first topic that is missing or differs."""
    wanted = deployed(specs, prefix=prefix, partitions=partitions)
    async with _admin(servers) as admin:
        found = await _leaders(admin)
        for name, spec in wanted.items():
            if name not in found:
                expected = f"{spec.partitions} partitions"
                raise OperatorError(
                    f"topic {name}", "no such topic", expected, "Run `millstream init`"
                )
        await _compare(admin, wanted, replay=replay)


async def partitions_of(servers: Servers, topic: str) -> tuple[TopicPartition, ...]:
    """Every partition of an existing topic, which is not created by asking. Raises OperatorError
    where it does not exist or the cluster does not answer."""
    async with _admin(servers) as admin:
        found = await _leaders(admin)
    if topic not in found:
        raise OperatorError(
            f"topic {topic}", "no such topic", "an existing one", "Run `millstream init`"
        )
    return tuple(TopicPartition(topic, number) for number in range(len(found[topic])))


async def topic_settings(servers: Servers, topic: str) -> dict[str, str]:
    """The settings of one topic as the cluster tells them. Raises OperatorError if it is away."""
    async with _admin(servers) as admin:
        return (await _configs(admin, [topic])).get(topic, {})


@asynccontextmanager
async def _admin(servers: Servers) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**access(servers))
    try:
        await started(admin, servers)
        yield admin
    except (KafkaError, OSError) as error:
        raise OperatorError(
            "Kafka",
            f"{type(error).__name__} from {servers}: {error}",
            "a cluster that answers",
            "Check KAFKA_BOOTSTRAP_SERVERS",
        ) from error
    finally:
        await admin.close()


async def _leaders(admin: AIOKafkaAdminClient) -> dict[str, list[int]]:
    """Topic to its partitions' leaders, -1 for none, of all topics: asking for one by name would
    create it on a cluster that allows that."""
    return {
        topic["topic"]: [partition["leader"] for partition in topic["partitions"]]
        for topic in await admin.describe_topics()
    }


async def _create(
    admin: AIOKafkaAdminClient, missing: Mapping[str, TopicSpec], *, replay: bool
) -> None:
    if not missing:
        return
    new = [
        # The empty assignment is what lets aiokafka pass -1, the cluster's default, on.
        NewTopic(
            name,
            spec.partitions,
            spec.replication_factor,
            replica_assignments={} if spec.replication_factor == -1 else None,
            topic_configs=topic_config(spec, replay=replay),
        )
        for name, spec in missing.items()
    ]
    for name, code, message in (await admin.create_topics(new)).topic_errors:
        failure = for_code(code)
        if code and failure is not TopicAlreadyExistsError:  # someone else was as quick: fine
            raise OperatorError(f"topic {name}", f"{failure.__name__}: {message}", "its creation")


async def _await_leaders(admin: AIOKafkaAdminClient, wanted: Mapping[str, TopicSpec]) -> None:
    """Brokers learn of a new topic some time after the controller has answered."""
    deadline = asyncio.get_running_loop().time() + VISIBLE_WITHIN_S
    while True:
        seen = await _leaders(admin)
        late = [name for name in wanted if min(seen.get(name, []), default=-1) < 0]
        if not late:
            return
        if asyncio.get_running_loop().time() > deadline:
            given = f"no leader {VISIBLE_WITHIN_S:.0f} s after its creation"
            raise OperatorError(f"topic {late[0]}", given, "a leader for every partition")
        await asyncio.sleep(POLL_S)


async def _compare(
    admin: AIOKafkaAdminClient, wanted: Mapping[str, TopicSpec], *, replay: bool
) -> None:
    if not wanted:
        return
    leaders = await _leaders(admin)
    configs = await _configs(admin, wanted)
    for name, spec in wanted.items():
        found = difference(name, spec, len(leaders[name]), configs.get(name, {}), replay=replay)
        if found is not None:
            raise found


async def _configs(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    told: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for _code, _message, _kind, name, entries in response.resources:
            told[name] = {entry[0]: entry[1] for entry in entries}
    return told
