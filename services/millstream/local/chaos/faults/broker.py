"""The broker dies, sleeps, grows partitions; its topic is trimmed, or made anew."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from millstream.local.chaos.faults.fault import EVERY, Fault, NothingToBreak
from millstream.local.chaos.load import Load
from millstream.local.chaos.scene import PARTITIONS, Scene
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import EVENTS, read_topics

PAST_THE_END = 500
"""Records that a topic made anew has beyond the old one's end."""
STRANGERS_RATE = 5_000.0
GONE_WITHIN_S = 30.0
POLL_S = 0.05


@asynccontextmanager
async def admin(scene: Scene) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(bootstrap_servers=scene.kafka.bootstrap_servers)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


class BrokerKilled(Fault):
    kind = "broker-killed"
    tiers = EVERY
    breaks_broker = True

    async def inject(self, scene: Scene) -> None:
        await asyncio.to_thread(scene.kafka.kill)

    async def heal(self, scene: Scene) -> None:
        await asyncio.to_thread(scene.kafka.start)


class BrokerStopped(Fault):
    kind = "broker-stopped"
    tiers = EVERY
    breaks_broker = True
    hold_s = (2.0, 8.0)

    async def inject(self, scene: Scene) -> None:
        scene.kafka.signal(signal.SIGSTOP)

    async def heal(self, scene: Scene) -> None:
        scene.kafka.signal(signal.SIGCONT)


class PartitionsAdded(Fault):
    """With a rolling restart after it, since a member learns of new partitions minutes later."""

    kind = "partitions-added"
    needs_broker = True
    tiers = ("faust",)

    async def inject(self, scene: Scene) -> None:
        traffic = scene.load.traffic
        if traffic.partitions > PARTITIONS:
            raise NothingToBreak
        async with admin(scene) as client:
            await client.create_partitions({scene.topic: NewPartitions(2 * PARTITIONS)})
        await scene.load.learn(2 * PARTITIONS)
        traffic.partitions = 2 * PARTITIONS

    async def heal(self, scene: Scene) -> None:
        await scene.crew.roll()


class LogTrimmed(Fault):
    """Retention took what was not counted yet: the workers were away for too long."""

    kind = "log-trimmed"
    halts = True
    starts_workers = True
    ends_episode = True

    async def inject(self, scene: Scene) -> None:
        front = await scene.watch.look()
        for member in scene.crew.members:
            await member.kill()
        await send_strangers(scene, dict.fromkeys(range(PARTITIONS), PAST_THE_END))
        wanted = {
            TopicPartition(scene.topic, p): RecordsToDelete(at + PAST_THE_END // 2)
            for p, at in front.items()
            if p < PARTITIONS
        }
        async with admin(scene) as client:
            await client.delete_records(wanted)
        for member in scene.crew.members:
            await member.start()


class TopicMadeAnew(Fault):
    """Another log under the same name, shorter than the counted one, under the workers' eyes."""

    kind = "topic-made-anew"
    halts = True
    ends_episode = True
    beyond = False

    async def inject(self, scene: Scene) -> None:
        front = await scene.watch.look()
        async with admin(scene) as client:
            await client.delete_topics([scene.topic])
            await _gone(client, scene.topic)
        specs = [spec for spec in read_topics() if spec.name == EVENTS]
        await create_topics(
            scene.kafka.bootstrap_servers,
            specs,
            prefix=scene.settings.topic_prefix,
            partitions=max([PARTITIONS, *(p + 1 for p in front)]),
        )
        more = {p: (at + PAST_THE_END if self.beyond else at // 4 + 1) for p, at in front.items()}
        await send_strangers(scene, more)


class TopicMadeAnewLonger(TopicMadeAnew):
    """While the workers were away, and it grew past what was counted: no offset is out of range,
    only the records are others. Nothing but the witness tells."""

    kind = "topic-made-anew-longer"
    starts_workers = True
    beyond = True

    async def inject(self, scene: Scene) -> None:
        for member in scene.crew.members:
            await member.kill()
        await super().inject(scene)
        for member in scene.crew.members:
            await member.start()


async def _gone(client: AIOKafkaAdminClient, topic: str) -> None:
    """Brokers show a topic for a while after its end, and it would be taken for the new one. Raises
    TimeoutError where that does not pass."""
    async with asyncio.timeout(GONE_WITHIN_S):
        while topic in await client.list_topics():  # noqa: ASYNC110  brokers tell nobody
            await asyncio.sleep(POLL_S)


async def send_strangers(scene: Scene, records: dict[int, int]) -> None:
    """So many fresh events per partition, of the same shoppers, none of which may count."""
    load = Load(scene.kafka.bootstrap_servers, scene.topic, scene.load.traffic, STRANGERS_RATE)
    left = dict(records)
    for shipment in load.traffic:
        if left.get(shipment.partition, 0) > 0:
            left[shipment.partition] -= 1
            await load.send(shipment)
        if not any(left.values()):
            break
    await load.finish()


KINDS: tuple[type[Fault], ...] = (BrokerKilled, BrokerStopped, PartitionsAdded)
LAST: tuple[type[Fault], ...] = (LogTrimmed, TopicMadeAnew, TopicMadeAnewLonger)
