"""Models come and go under load: good ones are swapped in, spoilt ones must never serve."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from millstream.domain.identity import record_key
from millstream.domain.models import ModelAnnouncement
from millstream.local.chaos.faults.fault import Fault
from millstream.local.chaos.scene import Scene
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.manifest import SCHEMA_VERSION, DataWindow, Manifest, Provenance, Quality
from millstream.model.registry import Registry
from millstream.model.signing import load_private_key
from millstream.model.vocabulary import Vocabulary
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected
from millstream.streaming.topics import MODELS

TENANT, MODEL = "default", "embedding"
ITEMS, DIMENSIONS = 400, 8
RULE = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.5)


class ModelSwapped(Fault):
    """A new version, registered, promoted and announced as a trainer does it."""

    kind = "model-swapped"

    async def inject(self, scene: Scene) -> None:
        registry = Registry(scene.settings.model_store)
        manifest, sha = await asyncio.to_thread(self._register, scene, registry)
        await asyncio.to_thread(
            self.spoil, scene, registry.directory(TENANT, MODEL, manifest.version)
        )
        await _promote(scene, manifest.version, sha)
        await _announce(scene, manifest, sha)

    def spoil(self, scene: Scene, directory: Path) -> None:
        """Before anyone is told of it."""

    def _register(self, scene: Scene, registry: Registry) -> tuple[Manifest, str]:
        rng = np.random.default_rng(scene.rng.randrange(2**32))
        key = load_private_key(scene.settings.keys_dir)
        return registry.register(_parts(rng), _describe, key)


class ModelSpoilt(ModelSwapped):
    """A bit of it flips on the disk, or its end is missing: the one before it goes on serving."""

    kind = "model-spoilt"

    def spoil(self, scene: Scene, directory: Path) -> None:
        files = sorted(path for path in directory.iterdir() if path.stat().st_size > 1)
        path = scene.rng.choice(files)
        content = bytearray(path.read_bytes())
        place = scene.rng.randrange(len(content))
        if scene.rng.random() < 0.5:
            del content[place:]
        else:
            content[place] ^= 1 << scene.rng.randrange(8)
        path.chmod(0o644)
        path.write_bytes(content)
        scene.spoilt.add(f"{MODEL}-v{int(directory.name.removeprefix('v'))}")


def _parts(rng: np.random.Generator) -> Embeddings:
    def array(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    return Embeddings(
        users=Vocabulary([f"u{n}" for n in range(50)]),
        items=Vocabulary([f"i{n}" for n in range(ITEMS)]),
        user_vectors=array(50, DIMENSIONS),
        item_vectors=array(ITEMS, DIMENSIONS),
        recent_to_user=array(DIMENSIONS + 1, DIMENSIONS),
        dense_weight=1.5,
        dense_bias=-0.5,
        rule=RULE,
    )


def _describe(version: int, files: Files) -> Manifest:
    return Manifest(
        schema_version=SCHEMA_VERSION,
        tenant=TENANT,
        model=MODEL,
        version=version,
        arrays=files.arrays,
        lists=files.lists,
        rule=RULE,
        window=DataWindow(1, 2, {0: 1}, 1, 1, 1),
        provenance=Provenance("0", "chaos", 1),
        quality=Quality({}, "made up", passed=True),
        created_at=datetime.now(UTC),
    )


async def _promote(scene: Scene, version: int, sha: str) -> None:
    redis = await connected(scene.settings.redis_url)
    try:
        pointer = RedisModelPointer(redis, Keys(scene.settings.redis_prefix))
        current = await pointer.read(TENANT, MODEL)
        await pointer.promote(TENANT, MODEL, version, sha, current and current[0])
    finally:
        await redis.aclose()


async def _announce(scene: Scene, manifest: Manifest, sha: str) -> None:
    announcement = ModelAnnouncement(
        tenant=TENANT,
        model=MODEL,
        version=manifest.version,
        manifest_sha256=sha,
        promoted=True,
        verdict="promoted",
        metrics={},
        created_at=manifest.created_at,
    )
    producer = AIOKafkaProducer(bootstrap_servers=scene.kafka.bootstrap_servers, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(
            scene.settings.topic(MODELS),
            msgspec.json.encode(announcement),
            record_key(TENANT, MODEL),
        )
    finally:
        await producer.stop()


KINDS: tuple[type[Fault], ...] = (ModelSwapped, ModelSpoilt)
