"""A whole deployment on this machine: set up once, its services as processes of their own."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from millstream.domain.errors import OperatorError
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.guard import guarded_directory
from millstream.local.server import LocalServer
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import ConnectionSettings, load
from millstream.setup import set_up
from millstream.stores.redis import DEFAULT_SLOTS
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import EVENTS

READY_S = 60.0
POLL_S = 0.1


class ServiceProcess(LocalServer):
    """`millstream <name>` with its own log; what it needs to know is in `variables`."""

    def __init__(self, service: str, variables: Mapping[str, str]) -> None:
        super().__init__()
        self.name = f"millstream {service}"  # type: ignore[misc]
        self._service = service
        self._variables = variables

    def command(self) -> list[str]:
        return [sys.executable, "-m", "millstream", self._service]

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self._variables}

    def answers(self) -> bool:
        return self.alive


class Deployment:
    """Topics and keys under a prefix of their own, files in a folder that goes with it."""

    def __init__(self, kafka: KafkaEndpoint, redis: RedisEndpoint, home: Path) -> None:
        self.kafka = kafka
        self.redis = redis
        self.home = home
        prefix = f"run-{secrets.token_hex(4)}."
        self._variables = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "REDIS_URL": redis.url,
            "MODEL_STORE": str(home / "models"),
            "MILLSTREAM_LAKE_DIR": str(home / "lake"),
            "MILLSTREAM_KEYS_DIR": str(home / "keys"),
            "MILLSTREAM_TOPIC_PREFIX": prefix,
            "MILLSTREAM_REDIS_PREFIX": f"ms:{prefix}",
            "MILLSTREAM_KAFKA_IDEMPOTENCE": str(kafka.idempotent_producer).lower(),
            "MILLSTREAM_SESSION_TIMEOUT_SECONDS": str(kafka.session_timeout_s),
            # The services share two cores: numeric libraries take one thread each.
            "POLARS_MAX_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            # What is replayed happened long ago, and every event is to be answered.
            "MILLSTREAM_FRESHNESS_SECONDS": "0",
            "MILLSTREAM_TENSORBOARD_DIR": str(home / "tensorboard"),
        }
        self.settings = load(
            ConnectionSettings,
            kafka_bootstrap_servers=kafka.bootstrap_servers,
            redis_url=redis.url,
            model_store=home / "models",
            lake_dir=home / "lake",
            keys_dir=home / "keys",
            topic_prefix=prefix,
            redis_prefix=f"ms:{prefix}",
            kafka_idempotence=kafka.idempotent_producer,
        )
        self._services: list[ServiceProcess] = []

    async def start(self, service: str, **variables: Any) -> ServiceProcess:
        """Starts a process; it may take seconds until it does its work."""
        named = {f"MILLSTREAM_{name.upper()}": str(value) for name, value in variables.items()}
        process = ServiceProcess(service, {**self._variables, **named})
        self._services.append(process)
        await asyncio.to_thread(process.start)
        return process

    @property
    def group(self) -> str:
        return self.settings.topic(load(RecommenderSettings).group)

    async def recommender_ready(self) -> int:
        """Returns the number of partitions of the events topic when each has its worker: from
        then on the group has a watermark for each. Raises OperatorError after READY_S."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap_servers,
            group_id=self.group,
            enable_auto_commit=False,
        )
        servers = self.kafka.bootstrap_servers
        places = await partitions_of(servers, self.settings.topic(EVENTS))
        await consumer.start()
        try:
            consumer.assign(places)  # asks for offsets without becoming a member

            async def all_committed() -> bool:
                return None not in [await consumer.committed(place) for place in places]

            await self._until(all_committed, "a recommender for every partition")
        finally:
            await consumer.stop()
        return len(places)

    async def members(self, n: int) -> None:
        """Returns when n recommenders share the partitions (not on the embedded broker, which
        can't tell). Raises OperatorError after READY_S."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap_servers)
        await admin.start()
        try:

            async def joined() -> bool:
                try:
                    [answer] = await admin.describe_consumer_groups([self.group])
                except GroupCoordinatorNotAvailableError:  # before the first group there is none
                    return False
                _, _, state, _, _, members, *_ = answer.groups[0]
                return state == "Stable" and len(members) == n

            await self._until(joined, f"{n} recommenders in the group")
        finally:
            await admin.close()

    async def _until(self, reached: Callable[[], Awaitable[bool]], wanted: str) -> None:
        deadline = asyncio.get_running_loop().time() + READY_S
        while not await reached():
            self.raise_dead()
            if asyncio.get_running_loop().time() > deadline:
                raise OperatorError("the deployment", f"not ready after {READY_S:g} s", wanted)
            await asyncio.sleep(POLL_S)

    def raise_dead(self) -> None:
        """Raises OperatorError with the end of its log if a service ended by itself."""
        for process in self._services:
            if process.started and not process.alive:
                raise OperatorError(
                    process.name,
                    "a process that ended by itself",
                    "one that goes on",
                    f"Its log ends with:\n{process.log_tail()}",
                )

    async def stop(self) -> None:
        """Ends all services side by side and removes their logs."""
        await asyncio.gather(*(asyncio.to_thread(process.close) for process in self._services))


@asynccontextmanager
async def deployed(kafka: KafkaEndpoint, redis: RedisEndpoint) -> AsyncIterator[Deployment]:
    """Set up for the replay of old events; on exit the services are gone, and the files."""
    with guarded_directory("millstream-run-") as home:
        deployment = Deployment(kafka, redis, home)
        await set_up(deployment.settings, slots=DEFAULT_SLOTS, replay=True, partitions=None)
        try:
            yield deployment
        finally:
            await deployment.stop()
