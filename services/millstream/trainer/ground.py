"""What every trainer stands on: Redis and brokers that answer, the signing key, the store."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from millstream.model.registry import Registry
from millstream.model.signing import load_private_key
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected
from millstream.stores.training_states import TrainingStates
from millstream.streaming.followers import Follower, follow
from millstream.streaming.producer import producer_for
from millstream.streaming.starting import started
from millstream.streaming.topics import MODELS, TRAINING
from millstream.trainer import telemetry
from millstream.trainer.outlet import Outlet
from millstream.trainer.requests import take_request
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.trigger import Trigger

CATCH_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ground:
    """`stop` and `told`: set by SIGTERM and SIGINT, for the loop and for threads beside it."""

    outlet: Outlet
    states: TrainingStates
    stop: asyncio.Event
    told: threading.Event


@asynccontextmanager
async def stand(settings: TrainerSettings) -> AsyncIterator[Ground]:
    """Raises OperatorError where the signing key is missing, or the broker or Redis does not
    answer."""
    name = settings.tenant, settings.model_name
    telemetry.TRAINER.labels(*name).set(1)
    key, registry = load_private_key(settings.keys_dir), Registry(settings.model_store)
    registry.remove_partial(*name)
    stop, told = asyncio.Event(), threading.Event()
    _obey_signals(stop, told)
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        producer = producer_for(settings, client_id="millstream-trainer")
        stack.push_async_callback(producer.stop)
        await started(producer, settings.brokers)
        keys = Keys(settings.redis_prefix)
        outlet = Outlet(
            name=name,
            registry=registry,
            key=key,
            pointer=RedisModelPointer(redis, keys),
            producer=producer,
            topic=settings.topic(MODELS),
            keep=settings.keep_versions,
        )
        yield Ground(outlet, TrainingStates(redis, keys), stop, told)


def requests(settings: TrainerSettings, trigger: Trigger) -> Follower:
    """What is asked of this trainer."""
    name = (settings.tenant, settings.model_name)
    topic = settings.topic(TRAINING)
    return follow(settings.brokers, topic, lambda record: take_request(record, name, trigger))


async def caught_up(stack: AsyncExitStack, settings: TrainerSettings, *followers: Follower) -> None:
    """Starts them; returns once each is read to its end, or after CATCH_UP_SECONDS: who must have
    all of a topic asks its follower."""
    for follower in followers:
        stack.push_async_callback(follower.close)
        await started(follower, settings.brokers)
    await asyncio.gather(*(one.wait_caught_up(CATCH_UP_SECONDS) for one in followers))


def _obey_signals(stop: asyncio.Event, told: threading.Event) -> None:
    def end() -> None:
        told.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
