"""Models of random numbers, signed and announced as a trainer's are."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import numpy as np
from aiokafka import AIOKafkaProducer

from millstream.domain.identity import record_key
from millstream.domain.models import ModelAnnouncement
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.manifest import SCHEMA_VERSION, DataWindow, Manifest, Provenance, Quality
from millstream.model.vocabulary import Vocabulary
from millstream.settings import ConnectionSettings
from millstream.streaming.topics import MODELS

TENANT, MODEL = "default", "embedding"
ITEMS, DIMENSIONS = 400, 8
RULE = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.5)


def made_up(seed: int) -> tuple[Embeddings, Callable[[int, Files], Manifest]]:
    """What Registry.register takes first."""
    rng = np.random.default_rng(seed)

    def array(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    parts = Embeddings(
        users=Vocabulary([f"u{n}" for n in range(50)]),
        items=Vocabulary([f"i{n}" for n in range(ITEMS)]),
        user_vectors=array(50, DIMENSIONS),
        item_vectors=array(ITEMS, DIMENSIONS),
        recent_to_user=array(DIMENSIONS + 1, DIMENSIONS),
        dense_weight=1.5,
        dense_bias=-0.5,
        rule=RULE,
    )
    return parts, _describe


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


async def announce(settings: ConnectionSettings, manifest: Manifest, sha: str) -> None:
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
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(
            settings.topic(MODELS), msgspec.json.encode(announcement), record_key(TENANT, MODEL)
        )
    finally:
        await producer.stop()
