"""Review models of two words, signed as a trainer's are: each sees the other way round what the one
before it saw, so that a second verdict on a review differs from the first."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import numpy as np

from millstream.model.manifest import SCHEMA_VERSION, Provenance, Quality
from millstream.model.registry import Registry
from millstream.model.sentiment.artifact import ReviewFiles
from millstream.model.sentiment.linear import LinearArrays
from millstream.model.sentiment.manifest import MODEL, ReviewData, ReviewKind, ReviewManifest
from millstream.model.sentiment.review import ReviewText
from millstream.model.sentiment.terms import TermReader, tokens
from millstream.model.signing import load_private_key
from millstream.model.vocabulary import Vocabulary
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import TROUBLE, connected

TENANT = "default"
GOOD, BAD = "great", "awful"


async def swap_model(settings: ConnectionSettings) -> None:
    """The next version becomes the current one, whichever that is."""
    registry, key = Registry(settings.model_store), load_private_key(settings.keys_dir)
    redis = await connected(settings.redis_url)
    try:
        pointer = RedisModelPointer(redis, Keys(settings.redis_prefix))
        current = await pointer.read(TENANT, MODEL)
        before = None if current is None else current[0]
        slant = 1.0 if len(registry.versions(TENANT, MODEL)) % 2 == 0 else -1.0
        manifest, sha = registry.register_reviews(_arrays(slant), _described, key, before or 0)
        await pointer.promote(TENANT, MODEL, manifest.version, sha, before)
    finally:
        with suppress(*TROUBLE):
            await redis.aclose()


async def keep_model(settings: ConnectionSettings) -> None:
    """What an operator does where Redis has lost which version serves."""
    redis = await connected(settings.redis_url)
    try:
        current = await RedisModelPointer(redis, Keys(settings.redis_prefix)).read(TENANT, MODEL)
    finally:
        with suppress(*TROUBLE):
            await redis.aclose()
    if current is None:
        await swap_model(settings)


def _arrays(slant: float) -> LinearArrays:
    words = Vocabulary(sorted((BAD, GOOD)))
    reader = TermReader(words)
    good, bad = (reader.read(tokens(ReviewText("", word))).keys for word in (GOOD, BAD))
    keys = np.unique(np.concatenate([good, bad]))
    weight = np.where(np.isin(keys, good), 3.0, -3.0) * slant
    ones = np.ones(len(keys))
    return LinearArrays(
        words=words,
        keys=keys,
        terms=np.column_stack([weight, ones, weight, ones]).astype(np.float32),
        likeness=np.zeros((len(words) + 1, 2), dtype=np.float32),
        offsets=np.zeros(3, dtype=np.float32),
        mixing=np.array([1.0, 1.0, 0.0, 0.0], dtype=np.float32),
    )


def _described(version: int, files: ReviewFiles) -> ReviewManifest:
    return ReviewManifest(
        schema_version=SCHEMA_VERSION,
        tenant=TENANT,
        model=MODEL,
        version=version,
        arrays=files.arrays,
        lists=files.lists,
        provenance=Provenance("0", "chaos", 1),
        quality=Quality({}, "made up", passed=True),
        created_at=datetime.now(UTC),
        kind=ReviewKind.LINEAR,
        reviews=ReviewData(1, 1, {}, 2, 1),
    )
