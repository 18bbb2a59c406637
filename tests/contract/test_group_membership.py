"""Why no offset is committed while the group is joined (transport/thread.py), and how that is told.
A new release of aiokafka must pass this, or the guard is no longer needed."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import CommitFailedError, IllegalGenerationError
from faust.transport.drivers import aiokafka as driver

from millstream.local.tansu import Tansu
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import TopicSpec, read_topics
from millstream.streaming.transport.thread import ConsumerThread


async def test_a_refused_commit_costs_the_membership_that_was_got_meanwhile() -> None:
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    coordinator = GroupCoordinator(client, SubscriptionState(), group_id="g")
    coordinator.coordinator_id, coordinator.generation = 0, 5

    async def refused(_request: Any) -> Any:
        coordinator.generation, coordinator.member_id = 6, "member"  # before the answer is read
        return SimpleNamespace(topics=[("t", [(0, IllegalGenerationError.errno)])])

    coordinator._send_req = refused
    try:
        with pytest.raises(CommitFailedError):
            await coordinator.commit_offsets(
                None, {TopicPartition("t", 0): OffsetAndMetadata(1, "")}
            )
        assert (coordinator.generation, coordinator.member_id) == (-1, "")
    finally:
        await coordinator.close()
        await client.close()


async def test_no_heart_beats_while_the_group_is_joined(
    tansu: Tansu, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beating, joined = [], asyncio.Queue[bool]()
    join, beat = (
        CoordinatorGroupRebalance.perform_group_join,
        GroupCoordinator._start_heartbeat_task,
    )

    async def watched(rebalance: Any) -> Any:
        beating.append(rebalance._coordinator._heartbeat_task is not None)
        return await join(rebalance)

    def beats(coordinator: Any) -> None:
        beat(coordinator)
        joined.put_nowait(coordinator._heartbeat_task is not None)

    monkeypatch.setattr(CoordinatorGroupRebalance, "perform_group_join", watched)
    monkeypatch.setattr(GroupCoordinator, "_start_heartbeat_task", beats)
    spec: TopicSpec = read_topics()[0]
    await create_topics(tansu.bootstrap_servers, [spec], prefix=prefix)
    consumer = AIOKafkaConsumer(
        f"{prefix}{spec.name}", bootstrap_servers=tansu.bootstrap_servers, group_id=f"{prefix}g"
    )
    await consumer.start()
    try:
        for _ in range(2):
            assert await asyncio.wait_for(joined.get(), 20)
            consumer._coordinator.request_rejoin()
    finally:
        await consumer.stop()
    assert len(beating) >= 2
    assert not any(beating)


@pytest.mark.parametrize("is_member", [True, False])
async def test_a_watermark_is_committed_by_members_alone(
    monkeypatch: pytest.MonkeyPatch, is_member: bool
) -> None:
    committed = []

    async def commit(offsets: Any) -> None:
        committed.append(offsets)

    client = SimpleNamespace(
        commit=commit, _coordinator=SimpleNamespace(_heartbeat_task=object() if is_member else None)
    )
    thread = ConsumerThread.__new__(ConsumerThread)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_ensure_consumer", lambda _self: client)
    monkeypatch.setattr(ConsumerThread, "assignment", lambda _self: {TopicPartition("t", 1)})
    assert await thread.commit_watermark({("t", 1): 7, ("t", 2): 9}, "3") is is_member
    wanted = [{TopicPartition("t", 1): OffsetAndMetadata(7, "3")}]
    assert committed == (wanted if is_member else [])
