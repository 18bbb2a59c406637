"""What a training of reviews works with, in memory, and a fit that takes a fraction of a second."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec
from tests.training.sentiment.made_reviews import made_vectors

from millstream.domain.models import ModelAnnouncement
from millstream.model.sentiment.linear import LinearArrays
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.sentiment.fit_linear import LinearRule, fit_linear

NOW = 1_770_000_000_000
RULE = LinearRule(counts=(10.0,), rarity=(10.0,), likeness=(0.1,), inner_folds=2)


@dataclass
class Pointer:
    """Compare-and-set in memory; `overtaken`: by another trainer, meanwhile."""

    current: tuple[int, str] | None = None
    past: list[tuple[int, str]] = field(default_factory=list)
    overtaken: bool = False

    async def read(self, tenant: str, model: str) -> tuple[int, str] | None:
        assert (tenant, model) == ("default", "sentiment")
        return self.current

    async def before(self, _tenant: str, _model: str) -> tuple[tuple[int, str], ...]:
        return tuple(self.past)

    async def promote(
        self, tenant: str, model: str, version: int, sha: str, expected_version: int | None
    ) -> bool:
        assert (tenant, model) == ("default", "sentiment")
        if self.overtaken or (self.current and self.current[0]) != expected_version:
            return False
        if self.current is not None:
            self.past.insert(0, self.current)
        self.current = (version, sha)
        return True

    async def choose(self, *_: object) -> bool:
        raise NotImplementedError("an operator's, not a trainer's")

    go_back = choose


@dataclass
class Producer:
    """`sent`: each announcement with its key and what the pointer said when it was sent."""

    pointer: Pointer
    sent: list[tuple[str, bytes, ModelAnnouncement, tuple[int, str] | None]] = field(
        default_factory=list
    )

    async def send_and_wait(self, topic: str, value: bytes, key: bytes) -> object:
        told = msgspec.json.decode(value, type=ModelAnnouncement)
        self.sent.append((topic, key, told, self.pointer.current))
        return None


def linear(reviews: Reviews) -> LinearArrays:
    return fit_linear(reviews, made_vectors, [], RULE)
