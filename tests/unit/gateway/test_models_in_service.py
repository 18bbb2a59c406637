"""The gateway makes lists by its own model, whatever else stands in the store."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs
from tests.review_models import describe_reviews, linear_model
from tests.unit.model.conftest import describe, key, parts, registry
from tests.unit.recommender.conftest import MemoryPointer

from millstream.gateway.models_in_service import Models
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings
from millstream.model.manifest import Manifest
from millstream.model.registry import Registry
from millstream.model.serving import NO_MODEL

__all__ = ["describe", "key", "parts", "registry"]  # fixtures, used by name


@pytest.fixture
def pointer(registry: Registry, key: Ed25519PrivateKey) -> MemoryPointer:
    """Of a store in which a review model is in service."""
    made = MemoryPointer()
    manifest, sha = registry.register_reviews(linear_model(), describe_reviews, key, above=4)
    made.current["default", "sentiment"] = (manifest.version, sha)
    return made


def models(name: str, registry: Registry, pointer: MemoryPointer, key: Ed25519PrivateKey) -> Models:
    return Models(name, registry, pointer, key.public_key(), lambda: {"default"}, lambda _: ())


async def test_a_review_model_is_not_ours(
    registry: Registry,
    pointer: MemoryPointer,
    parts: Embeddings,
    describe: Callable[[int, Files], Manifest],
    key: Ed25519PrivateKey,
) -> None:
    served = models("embedding", registry, pointer, key)
    await served.refresh()
    assert served.serving("default").version == NO_MODEL
    manifest, sha = registry.register(parts, describe, key)
    pointer.current["default", "embedding"] = (manifest.version, sha)
    await served.refresh()
    assert served.serving("default").version == "embedding-v1"


async def test_a_gateway_that_is_told_to_serve_reviews_goes_without_and_says_so(
    registry: Registry, pointer: MemoryPointer, key: Ed25519PrivateKey
) -> None:
    served = models("sentiment", registry, pointer, key)
    with capture_logs() as logs:
        await served.refresh()
    assert served.serving("default").version == NO_MODEL
    assert [line["event"] for line in logs] == ["model refused"]
