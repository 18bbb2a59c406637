"""A training of reviews without servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.training.outlets import Pointer, Producer
from tests.training.sentiment.training import NOW, linear

from millstream.model.registry import Registry
from millstream.trainer.sentiment.compare import ReviewGateRule
from millstream.trainer.sentiment.pipeline import ReviewTools


@pytest.fixture
def pointer() -> Pointer:
    return Pointer(of=("default", "sentiment"))


@pytest.fixture
def producer(pointer: Pointer) -> Producer:
    return Producer(pointer)


@pytest.fixture
def tools(tmp_path: Path, pointer: Pointer, producer: Producer) -> ReviewTools:
    return ReviewTools(
        tenant="default",
        fit=linear,
        settings_digest="0123456789ab",
        seed=7,
        rule=ReviewGateRule(),
        registry=Registry(tmp_path / "models"),
        key=Ed25519PrivateKey.generate(),
        pointer=pointer,
        producer=producer,
        topic="t.models",
        keep_versions=2,
        clock=lambda: NOW,
    )
