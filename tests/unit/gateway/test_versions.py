"""What the gateway tells of a tenant's versions and moves: of every kind of model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.review_models import describe_reviews, linear_model
from tests.unit.model.conftest import describe, key, parts, registry
from tests.unit.recommender.conftest import MemoryPointer

from millstream.domain.models import ModelAnnouncement
from millstream.gateway.announcing import Announcing
from millstream.gateway.moves import Moves
from millstream.gateway.problems import Refusal, away
from millstream.gateway.versions import Versions
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings
from millstream.model.manifest import Manifest
from millstream.model.registry import Registry

__all__ = ["describe", "key", "parts", "registry"]  # fixtures, used by name


class Pointer(MemoryPointer):
    """Also an operator's moves."""

    choose = MemoryPointer.promote

    async def before(self, _tenant: str, _model: str) -> tuple[tuple[int, str], ...]:
        return ()

    async def go_back(self, *_: object) -> bool:
        raise NotImplementedError("nothing served before")


class Sent:
    """Implements what Moves needs of delivery, and of the broker behind it."""

    def __init__(self) -> None:
        self.announced: list[ModelAnnouncement] = []
        self.answers = self.acknowledges = True

    async def asked(self) -> bool:
        return self.answers

    async def deliver(self, topic: str, records: Sequence[tuple[bytes, bytes]]) -> None:
        assert topic == "models"
        if not self.acknowledges:
            raise away("Kafka takes nothing")
        self.announced += [
            msgspec.json.decode(value, type=ModelAnnouncement) for _, value in records
        ]


def moves_of(registry: Registry, pointer: Pointer, key: Ed25519PrivateKey, sent: Sent) -> Moves:
    announcing = Announcing(sent, "models")  # type: ignore[arg-type]
    return Moves(registry, pointer, key.public_key(), announcing, sent.asked)


@pytest.fixture
def both(
    registry: Registry,
    parts: Embeddings,
    describe: Callable[[int, Files], Manifest],
    key: Ed25519PrivateKey,
) -> Registry:
    registry.register(parts, describe, key)
    registry.register_reviews(linear_model(), describe_reviews, key)
    return registry


async def test_versions_of_both_kinds_are_told(both: Registry, key: Ed25519PrivateKey) -> None:
    found = await Versions("embedding", both, Pointer(), key.public_key()).all("default")
    assert [(one.model, one.refused) for one in found] == [("embedding", None), ("sentiment", None)]
    assert [one.makes_lists for one in found] == [True, False]
    assert found[1].metrics == {"accuracy": 0.9}


async def test_a_review_model_is_promoted_and_announced_as_itself(
    both: Registry, key: Ed25519PrivateKey
) -> None:
    pointer, sent = Pointer(), Sent()
    moves = moves_of(both, pointer, key, sent)
    await moves.promote("default", "sentiment", 1, force=False)
    assert list(pointer.current) == [("default", "sentiment")]
    assert [(one.model, one.version) for one in sent.announced] == [("sentiment", 1)]
    with pytest.raises(Refusal, match="can still be used"):
        await moves.roll_back("default", "sentiment", None)


async def test_a_review_model_that_was_touched_is_not_promoted(
    both: Registry, key: Ed25519PrivateKey
) -> None:
    path = both.directory("default", "sentiment", 1) / "terms.npy"
    path.write_bytes(path.read_bytes()[:-1])
    pointer, sent = Pointer(), Sent()
    moves = moves_of(both, pointer, key, sent)
    with pytest.raises(Refusal, match="not what was signed"):
        await moves.promote("default", "sentiment", 1, force=True)
    assert (pointer.current, sent.announced) == ({}, [])


async def test_nothing_moves_while_the_broker_does_not_answer(
    both: Registry, key: Ed25519PrivateKey
) -> None:
    pointer, sent = Pointer(), Sent()
    sent.answers = False
    with pytest.raises(Refusal, match="nothing has moved") as refused:
        await moves_of(both, pointer, key, sent).promote("default", "sentiment", 1, force=False)
    assert refused.value.retry_after_s is not None
    assert pointer.current == {}


async def test_what_has_moved_is_not_refused_and_its_word_is_told_until_kafka_has_it(
    both: Registry, key: Ed25519PrivateKey
) -> None:
    """An answer that says "send the same again" would move a rollback one version further."""
    pointer, sent = Pointer(), Sent()
    sent.acknowledges = False
    announcing = Announcing(sent, "models")  # type: ignore[arg-type]
    moves = Moves(both, pointer, key.public_key(), announcing, sent.asked)
    moved = await moves.promote("default", "sentiment", 1, force=False)
    assert (moved.version, moved.announced) == (1, False)
    assert list(pointer.current) == [("default", "sentiment")]
    following = asyncio.ensure_future(announcing.follow(again_s=0))
    try:
        await turns(20)
        assert sent.announced == []
        sent.acknowledges = True
        await turns(20)
        assert [one.version for one in sent.announced] == [1], "once"
    finally:
        following.cancel()


async def turns(n: int) -> None:
    """Of the loop."""
    for _ in range(n):
        await asyncio.sleep(0)


async def test_a_rollback_that_names_the_current_version_goes_back_once(
    both: Registry, key: Ed25519PrivateKey
) -> None:
    pointer = Pointer()
    moves = moves_of(both, pointer, key, Sent())
    await moves.promote("default", "sentiment", 1, force=False)
    with pytest.raises(Refusal, match="another version is the current one"):
        await moves.roll_back("default", "sentiment", 2)
