"""A training of reviews without servers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.training.outlets import SENTIMENT, Pointer, Producer, outlet_in
from tests.training.sentiment.training import NOW, linear

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
        fit=linear,
        settings_digest="0123456789ab",
        seed=7,
        rule=ReviewGateRule(),
        outlet=outlet_in(tmp_path, SENTIMENT, pointer, producer, keep=2),
        clock=lambda: NOW,
    )
