"""What a gateway stands on: its keys, Redis and the brokers, all answering."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from millstream.domain.clock import Clock, wall_clock
from millstream.domain.pseudonyms import Pseudonyms
from millstream.gateway.callers import Callers
from millstream.gateway.delivery import Delivery
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.shop_clock import ReplayClock
from millstream.privacy.key_files import every_version
from millstream.stores.keys import Keys
from millstream.stores.redis import RETRIES_AT_START, connect, connected, read_slots
from millstream.streaming.producer import producer_for
from millstream.streaming.starting import started
from millstream.streaming.topics import EVENTS

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis


@dataclass(frozen=True, slots=True)
class Ground:
    """`partitions`: of the events topic. `clock`: of the shop: `replay` where a recording is
    replayed, else the wall's."""

    settings: GatewaySettings
    callers: Callers
    redis: Redis
    keys: Keys
    slots: int
    producer: AIOKafkaProducer
    partitions: int
    delivery: Delivery
    clock: Clock
    replay: ReplayClock | None


async def opened_ground(stack: AsyncExitStack, settings: GatewaySettings) -> Ground:
    """`stack` closes it. Raises Halt or OperatorError where something is missing or away."""
    callers = Callers(settings.gateway_api_keys, pseudonyms_of(settings))
    callers.load()
    redis = await quickly_connected(settings)
    stack.push_async_callback(redis.aclose)
    keys = Keys(settings.redis_prefix)
    slots = await read_slots(redis, keys)
    producer = producer_for(settings, "millstream-gateway")
    stack.push_async_callback(producer.stop)
    await started(producer, settings.brokers)
    replay = ReplayClock(wall_clock) if settings.gateway_replay else None
    clock = replay or wall_clock
    return Ground(
        settings=settings,
        callers=callers,
        redis=redis,
        keys=keys,
        slots=slots,
        producer=producer,
        partitions=len(await producer.partitions_for(settings.topic(EVENTS))),
        delivery=Delivery(producer, wall_clock, settings.gateway_ack_seconds, clock),
        clock=clock,
        replay=replay,
    )


def pseudonyms_of(settings: GatewaySettings) -> Callable[[str], Pseudonyms | None]:
    if not settings.gateway_pseudonyms:
        return lambda _tenant: None
    return lambda tenant: every_version(settings.pseudonym_keys_dir, tenant)[0]


async def quickly_connected(settings: GatewaySettings) -> Redis:
    """A client that gives up soon: who waits is a shopper. Raises OperatorError."""
    once_s = settings.gateway_redis_seconds / 2  # asked twice, it is the whole of that
    return await connected(
        settings.redis_url,
        RETRIES_AT_START,
        lambda url, retries: connect(url, min(retries, 1), once_s),
    )
