"""One deployment under test, and all that a fault may lay hands on."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from millstream.local.chaos.load import Load
from millstream.local.chaos.proxy import Proxy
from millstream.local.chaos.reviews.model import keep_model
from millstream.local.chaos.servers import BreakableValkey, ProxiedKafka
from millstream.local.chaos.watch import Watch, Where
from millstream.local.chaos.wire import Wire, wired
from millstream.local.chaos.workers import Crew
from millstream.local.ports import LOOPBACK
from millstream.settings import ConnectionSettings, load

Tier = Literal["bare", "faust", "reviews"]
SLOTS = 16
PARTITIONS = 4


@dataclass
class Scene:
    tier: Tier
    kafka: ProxiedKafka
    valkey: BreakableValkey
    way_to_kafka: Proxy
    """Of this scene's workers alone."""
    settings: ConnectionSettings
    library: str
    """The Lua source in force: what an operator's `init` loads again."""
    crew: Crew
    load: Load
    watch: Watch
    where: Where
    """What is watched, and recounted."""
    rng: random.Random
    spoilt: set[str] = field(default_factory=set)
    """Model versions that no list may bear."""

    @property
    def topic(self) -> str:
        return self.load.topic

    @asynccontextmanager
    async def redis(self) -> AsyncIterator[Wire]:
        """Past the proxy."""
        async with wired(self.valkey.port) as wire:
            yield wire

    def operator_variables(self) -> dict[str, str]:
        """Of programs that are no workers: past the proxies."""
        return {
            **self.crew.variables,
            "KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "REDIS_URL": self.settings.redis_url,
            "MILLSTREAM_LAKE_DIR": str(self.settings.lake_dir),
        }

    async def load_library(self) -> None:
        """What `millstream init` does first; of reviews also which version judges them."""
        async with self.redis() as wire:
            await wire.call("FUNCTION", "LOAD", "REPLACE", self.library)
            await wire.call("HSETNX", f"{self.settings.redis_prefix}layout", "slots", SLOTS)
        if self.tier == "reviews":
            await keep_model(self.settings)


def operator_settings(
    kafka: ProxiedKafka, valkey: BreakableValkey, home: Path, prefix: str
) -> ConnectionSettings:
    """Ours: past the proxies."""
    return load(
        ConnectionSettings,
        kafka_bootstrap_servers=kafka.bootstrap_servers,
        redis_url=valkey.url,
        model_store=home / "models",
        lake_dir=home / "lake",
        keys_dir=home / "keys",
        topic_prefix=prefix,
        redis_prefix=f"ms:{prefix}",
    )


def worker_variables(
    to_kafka: Proxy, valkey: BreakableValkey, home: Path, prefix: str
) -> dict[str, str]:
    """The workers': through the proxies, every event owed a list."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": f"{LOOPBACK}:{to_kafka.port}",
        "REDIS_URL": f"redis://{LOOPBACK}:{valkey.proxy.port}/0",
        "MODEL_STORE": str(home / "models"),
        "MILLSTREAM_KEYS_DIR": str(home / "keys"),
        "MILLSTREAM_TOPIC_PREFIX": prefix,
        "MILLSTREAM_REDIS_PREFIX": f"ms:{prefix}",
        "MILLSTREAM_SESSION_TIMEOUT_SECONDS": "6",
        "MILLSTREAM_FRESHNESS_SECONDS": "0",
        "POLARS_MAX_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
