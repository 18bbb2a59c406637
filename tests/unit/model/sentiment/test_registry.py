"""Review models stand in the store as embeddings do, and each is read as what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.review_models import ASKED, MODELS, describe_reviews, linear_model

from millstream.domain.errors import OperatorError
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings
from millstream.model.manifest import ArtifactRefused, Manifest
from millstream.model.registry import Registry
from millstream.model.sentiment.artifact import sentiment_of
from millstream.model.sentiment.manifest import ReviewKind
from millstream.model.signed_files import MANIFEST_NAME, SIGNATURE_NAME, Identity

Describe = Callable[[int, Files], Manifest]


@pytest.mark.parametrize("kind", ReviewKind)
def test_versions_count_up_and_judge(
    registry: Registry, key: Ed25519PrivateKey, kind: ReviewKind
) -> None:
    registry.register_reviews(MODELS[kind], describe_reviews, key)
    manifest, sha = registry.register_reviews(MODELS[kind], describe_reviews, key)
    assert (manifest.version, manifest.kind) == (2, kind)
    assert registry.models() == [("default", "sentiment")]
    wanted = Identity("default", "sentiment", 2, sha)
    loaded = registry.load_reviews(key.public_key(), wanted)
    assert loaded.manifest == manifest
    np.testing.assert_array_equal(
        loaded.sentiment.probabilities(ASKED), sentiment_of(MODELS[kind]).probabilities(ASKED)
    )
    assert registry.show(key.public_key(), wanted) == manifest
    assert registry.verify(key.public_key(), wanted) == manifest


def test_each_kind_of_model_is_verified_as_what_it_is(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    ours, sha = registry.register(parts, describe, key)
    assert registry.verify(key.public_key(), Identity("default", "embedding", 1, sha)) == ours
    assert registry.show(key.public_key(), Identity("default", "embedding", 1)) == ours


def test_neither_kind_is_taken_for_the_other(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    """A worker whose model's name is that of the other kind, by mistake."""
    registry.register(parts, describe, key)
    registry.register_reviews(linear_model(), describe_reviews, key)
    public = key.public_key()
    with pytest.raises(ArtifactRefused, match="the manifest cannot be read"):
        registry.load(public, Identity("default", "sentiment", 1))
    with pytest.raises(ArtifactRefused, match="the manifest cannot be read"):
        registry.load_reviews(public, Identity("default", "embedding", 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{]",
        b"[]",
        b"[" * 100_000,
        b'{"kind":5}',
        b'{"kind":"forest"}',
        b'{"kind":"linear"}',
        b'{"kind":null}',
    ],
)
def test_a_signed_manifest_of_no_kind_is_refused(
    registry: Registry, key: Ed25519PrivateKey, raw: bytes
) -> None:
    registry.register_reviews(linear_model(), describe_reviews, key)
    version = registry.directory("default", "sentiment", 1)
    (version / MANIFEST_NAME).write_bytes(raw)
    (version / SIGNATURE_NAME).write_bytes(key.sign(raw))
    for read in (registry.show, registry.verify):
        with pytest.raises(ArtifactRefused, match="the manifest cannot be read"):
            read(key.public_key(), Identity("default", "sentiment", 1))


def test_old_versions_go_and_those_in_service_stay(
    registry: Registry, key: Ed25519PrivateKey
) -> None:
    for _ in range(5):
        registry.register_reviews(linear_model(), describe_reviews, key)
    mapped = registry.load_reviews(key.public_key(), Identity("default", "sentiment", 2))
    before = mapped.sentiment.probabilities(ASKED)
    assert registry.retain("default", "sentiment", 2, {1}) == [2, 3]
    assert registry.versions("default", "sentiment") == [1, 4, 5]
    np.testing.assert_array_equal(mapped.sentiment.probabilities(ASKED), before)


def test_what_verifies_but_cannot_judge_is_refused(
    registry: Registry, key: Ed25519PrivateKey
) -> None:
    mixing = np.array([3e38, 3e38, -3e38, 3e38], dtype=np.float32)
    broken = replace(linear_model(), mixing=mixing, offsets=np.full(3, 3e38, dtype=np.float32))
    registry.register_reviews(broken, describe_reviews, key)
    with pytest.raises(ArtifactRefused, match="golden input"):
        registry.verify(key.public_key(), Identity("default", "sentiment", 1))


def test_too_little_room_is_said_before_anything_is_written(
    registry: Registry, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 10

    monkeypatch.setattr("shutil.disk_usage", lambda _: Full)
    with pytest.raises(OperatorError, match="10 bytes free"):
        registry.register_reviews(linear_model(), describe_reviews, key)
    assert registry.versions("default", "sentiment") == []


def test_a_number_once_promoted_is_not_used_again(
    registry: Registry, key: Ed25519PrivateKey
) -> None:
    manifest, _ = registry.register_reviews(linear_model(), describe_reviews, key, above=7)
    assert manifest.version == 8


def test_the_newest_is_the_last_whose_manifest_is_not_refused(
    registry: Registry, key: Ed25519PrivateKey
) -> None:
    public = key.public_key()
    assert registry.newest(public, "default", "sentiment") is None
    first, _ = registry.register_reviews(linear_model(), describe_reviews, key)
    registry.register_reviews(linear_model(), describe_reviews, Ed25519PrivateKey.generate())
    assert registry.newest(public, "default", "sentiment") == first
