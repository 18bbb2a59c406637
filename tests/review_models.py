"""Hand-made review models of a few words, and what a version of them says of itself."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from redis.asyncio import Redis

from millstream.local.deployment import Deployment
from millstream.model.manifest import SCHEMA_VERSION, Provenance, Quality
from millstream.model.registry import Registry
from millstream.model.sentiment.artifact import ReviewArrays, ReviewFiles
from millstream.model.sentiment.linear import LinearArrays
from millstream.model.sentiment.lstm import LstmArrays
from millstream.model.sentiment.manifest import ReviewData, ReviewKind, ReviewManifest
from millstream.model.sentiment.review import ReviewText
from millstream.model.sentiment.terms import TermReader, tokens
from millstream.model.signing import load_private_key
from millstream.model.vocabulary import Vocabulary
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer

WORDS = ("awful", "great", "lamp", "not", "çok")
ASKED = (
    ReviewText("", "a great lamp"),
    ReviewText("awful", "an awful lamp"),
    ReviewText("", "not great, çok awful"),
    ReviewText("", ""),
    ReviewText("lamp", "nothing that it knows"),
)


def linear_model(slant: float = 1.0) -> LinearArrays:
    """ "great" is good and "awful" is bad, each by itself; with a `slant` below zero the other way
    round."""
    words = Vocabulary(WORDS)
    reader = TermReader(words)
    great, awful = (reader.read(tokens(ReviewText("", word))).keys for word in ("great", "awful"))
    keys = np.unique(np.concatenate([great, awful]))
    weight = np.where(np.isin(keys, great), 2.0, -2.0) * slant
    square = np.full(len(keys), 1.5)
    return LinearArrays(
        words=words,
        keys=keys,
        terms=np.column_stack([weight, square, weight, square]).astype(np.float32),
        likeness=np.linspace(-0.5, 0.5, 2 * (len(words) + 1), dtype=np.float32).reshape(-1, 2),
        offsets=np.array([0.1, -0.1, 0.0], dtype=np.float32),
        mixing=np.array([1.0, 0.5, 0.25, 0.05], dtype=np.float32),
    )


def lstm_model() -> LstmArrays:
    """Of three units over four dimensions, drawn by chance."""
    rng = np.random.default_rng(4)

    def drawn(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return rng.normal(size=shape).astype(np.float32)

    return LstmArrays(
        words=Vocabulary(WORDS),
        embedding=drawn(len(WORDS) + 2, 4),
        kernel=drawn(4, 12),
        recurrent=drawn(3, 12),
        bias=drawn(12),
        dense=drawn(3),
        dense_bias=-0.25,
        length=6,
    )


MODELS: dict[ReviewKind, ReviewArrays] = {
    ReviewKind.LINEAR: linear_model(),
    ReviewKind.LSTM: lstm_model(),
}


def describe_reviews(version: int, files: ReviewFiles) -> ReviewManifest:
    return ReviewManifest(
        schema_version=SCHEMA_VERSION,
        tenant="default",
        model="sentiment",
        version=version,
        arrays=files.arrays,
        lists=files.lists,
        provenance=Provenance("0.1.0", "0123456789ab", 1),
        quality=Quality({"accuracy": 0.9}, "good enough", True),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        kind=files.kind,
        reviews=ReviewData(40, 60, {"books": 70, "kitchen": 30}, 5, 20),
    )


async def promote_reviews(deployment: Deployment, redis: Redis, slant: float = 1.0) -> None:
    """Puts a new version of `linear_model` into service."""
    settings = deployment.settings
    pointer = RedisModelPointer(redis, Keys(settings.redis_prefix))
    key = load_private_key(settings.keys_dir)
    manifest, sha = Registry(settings.model_store).register_reviews(
        linear_model(slant), describe_reviews, key
    )
    current = await pointer.read("default", "sentiment")
    before = current[0] if current else None
    assert await pointer.promote("default", "sentiment", manifest.version, sha, before)
