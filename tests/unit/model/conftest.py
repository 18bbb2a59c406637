"""A small hand-made model, and what it takes to store a signed version of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.encoders import mean_encoder, unit

from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.manifest import SCHEMA_VERSION, DataWindow, Manifest, Provenance, Quality
from millstream.model.registry import Registry
from millstream.model.vocabulary import Vocabulary

RULE = ServingRule(recent_items=24, recent_half_life=10.0, recent_share=0.5)


@pytest.fixture
def parts() -> Embeddings:
    rng = np.random.default_rng(3)
    return Embeddings(
        users=Vocabulary(["ann", "bob", "çelik"]),
        items=Vocabulary([f"item-{row}" for row in range(30)]),
        user_vectors=rng.normal(size=(3, 4)).astype(np.float32),
        item_vectors=rng.normal(size=(30, 4)).astype(np.float32),
        recent_to_user=rng.normal(size=(5, 4)).astype(np.float32),
        dense_weight=1.5,
        dense_bias=-0.5,
        rule=RULE,
    )


@pytest.fixture
def encoded(parts: Embeddings) -> Embeddings:
    """A version whose recent items are read by an encoder that takes their mean."""
    items = unit(parts.item_vectors)
    return replace(parts, item_vectors=items, dense_weight=2.0, encoder=mean_encoder(items))


def described(version: int, files: Files) -> Manifest:
    return Manifest(
        schema_version=SCHEMA_VERSION,
        tenant="default",
        model="embedding",
        version=version,
        arrays=files.arrays,
        lists=files.lists,
        rule=RULE,
        window=DataWindow(1, 2, {0: 10, 11: 4}, 100, 90, 80),
        provenance=Provenance("0.1.0", "0123456789ab", 1),
        quality=Quality({"queries": 3.0}, "good enough", True),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        network=files.network,
    )


@pytest.fixture
def describe() -> Callable[[int, Files], Manifest]:
    return described


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models")


@pytest.fixture
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()
