"""A trainer that only swaps: versions made in a moment, good ones and such as must never serve."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis.asyncio import Redis

from millstream.domain.identity import record_key
from millstream.domain.models import Decision, ModelAnnouncement
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.manifest import (
    SCHEMA_VERSION,
    DataWindow,
    Manifest,
    Provenance,
    Quality,
    digest,
)
from millstream.model.registry import Registry
from millstream.model.signing import load_private_key
from millstream.model.vocabulary import Vocabulary
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.streaming.topics import MODELS
from millstream.trainer.announce import announce, promote

TENANT, MODEL = "default", "embedding"
SHARED, OWN, DIMENSIONS = 20, 40, 8
RULE = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.5)


def own_item(version: int, number: int) -> str:
    """What no other version knows: a list that mixes two versions shows it."""
    return f"v{version}-{number}"


class SwappingTrainer:
    """Registers, promotes and announces as the trainer does; `key` signs."""

    def __init__(self, settings: ConnectionSettings, redis: Redis, producer: AIOKafkaProducer):
        self.registry = Registry(settings.model_store)
        self.pointer = RedisModelPointer(redis, Keys(settings.redis_prefix))
        self._key = load_private_key(settings.keys_dir)
        self._producer = producer
        self._topic = settings.topic(MODELS)
        self.announced: list[ModelAnnouncement] = []

    async def swap(self, spoil: Callable[[Path], None] | None = None) -> int:
        """The next version is the current one, and announced; returns its number. `spoil` gets its
        directory before anyone hears of it."""
        return await self._promote(*await asyncio.to_thread(self._register, self._key), spoil)

    async def swap_unsigned(self) -> int:
        """As `swap`, but signed by a key of somebody else."""
        stranger = Ed25519PrivateKey.generate()
        return await self._promote(*await asyncio.to_thread(self._register, stranger))

    async def swap_older(self) -> int:
        """As `swap`, but the files are those of the first version, signed by us: a replay."""
        manifest, _ = await asyncio.to_thread(self._register, self._key)
        place = self.registry.directory(TENANT, MODEL, manifest.version)
        first = self.registry.directory(TENANT, MODEL, 1)
        shutil.rmtree(place)
        shutil.copytree(first, place)
        sha = digest((place / "manifest.json").read_bytes())
        return await self._promote(manifest, sha)

    async def repeat(self, announcement: ModelAnnouncement) -> None:
        """What was announced long ago is announced again, as by a log that is replayed."""
        await self._producer.send_and_wait(
            self._topic, msgspec.json.encode(announcement), record_key(TENANT, MODEL)
        )

    def _register(self, key: Ed25519PrivateKey) -> tuple[Manifest, str]:
        version = max([0, *self.registry.versions(TENANT, MODEL)]) + 1
        manifest, sha = self.registry.register(parts_of(version), describe, key)
        assert manifest.version == version
        return manifest, sha

    async def _promote(
        self, manifest: Manifest, sha: str, spoil: Callable[[Path], None] | None = None
    ) -> int:
        if spoil is not None:
            spoil(self.registry.directory(TENANT, MODEL, manifest.version))
        current = await self.pointer.read(TENANT, MODEL)
        outcome = await promote(self.pointer, manifest, sha, current and current[0])
        assert outcome.decision is Decision.PROMOTED
        self.announced.append(await announce(self._producer, self._topic, manifest, sha, outcome))
        return manifest.version


def flip(version: Path) -> None:
    content = bytearray(_largest(version).read_bytes())
    content[-1] ^= 1
    _largest(version).write_bytes(content)


def truncate(version: Path) -> None:
    _largest(version).write_bytes(_largest(version).read_bytes()[:-1])


def lose(version: Path) -> None:
    _largest(version).unlink()


def _largest(version: Path) -> Path:
    return max(version.iterdir(), key=lambda path: (path.stat().st_size, path.name))


def parts_of(version: int) -> Embeddings:
    rng = np.random.default_rng(version)

    def array(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    items = [f"i{n}" for n in range(SHARED)] + [own_item(version, n) for n in range(OWN)]
    return Embeddings(
        users=Vocabulary(["nobody"]),
        items=Vocabulary(items),
        user_vectors=array(1, DIMENSIONS),
        item_vectors=array(len(items), DIMENSIONS),
        recent_to_user=array(DIMENSIONS + 1, DIMENSIONS),
        dense_weight=1.5,
        dense_bias=-0.5,
        rule=RULE,
    )


def describe(version: int, files: Files) -> Manifest:
    return Manifest(
        schema_version=SCHEMA_VERSION,
        tenant=TENANT,
        model=MODEL,
        version=version,
        arrays=files.arrays,
        lists=files.lists,
        rule=RULE,
        window=DataWindow(1, 2, {0: 1}, 1, 1, 1),
        provenance=Provenance("0", "made up", 1),
        quality=Quality({}, "made up", passed=True),
        created_at=datetime.now(UTC),
    )
