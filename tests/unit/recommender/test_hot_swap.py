"""Models in service: taken whole, refused without harm to the one that serves."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from structlog.testing import capture_logs
from tests.builders import NOON_MS, record
from tests.review_models import describe_reviews, linear_model
from tests.unit.model.conftest import describe, key, parts, registry
from tests.unit.recommender.conftest import MemoryPointer

from millstream.domain.experiments import PinnedVersion
from millstream.domain.models import ModelAnnouncement
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings
from millstream.model.manifest import ArtifactRefused, Manifest, digest
from millstream.model.registry import Registry
from millstream.model.serving import NO_MODEL
from millstream.recommender import telemetry
from millstream.recommender.following import take_announcement
from millstream.recommender.hot_swap import HotSwap

__all__ = ["describe", "key", "parts", "registry"]  # fixtures, used by name

Promote = Callable[[], Path]


@pytest.fixture
def pointer() -> MemoryPointer:
    return MemoryPointer()


@pytest.fixture
def models(registry: Registry, pointer: MemoryPointer, key: Ed25519PrivateKey) -> HotSwap:
    return HotSwap("embedding", registry, pointer, key.public_key())


@pytest.fixture
def promote(
    registry: Registry,
    pointer: MemoryPointer,
    parts: Embeddings,
    describe: Callable[[int, Files], Manifest],
    key: Ed25519PrivateKey,
) -> Promote:
    """Registers and promotes the next version; returns its directory."""

    def do() -> Path:
        manifest, sha = registry.register(parts, describe, key)
        pointer.current["default", "embedding"] = (manifest.version, sha)
        return registry.directory("default", "embedding", manifest.version)

    return do


async def test_without_a_model_there_is_none(models: HotSwap) -> None:
    await models.refresh(["default"])
    serving = models.serving("default")
    assert (serving.version, serving.scorer) == (NO_MODEL, None)


async def test_the_current_version_serves_and_its_successor_after_it(
    models: HotSwap, promote: Promote
) -> None:
    promote()
    await models.refresh(["default"])
    first = models.serving("default")
    assert first.version == "embedding-v1"
    assert first.scorer is not None
    promote()
    assert models.serving("default") is not None
    assert models.serving("default").version == "embedding-v1", "nobody asked for the new one yet"
    await models.refresh(["default"])
    assert models.serving("default").version == "embedding-v2"
    assert len(first.scorer.items.ids) == 30, "a batch in work keeps what it took"


async def test_the_version_in_service_is_not_loaded_again(
    models: HotSwap, promote: Promote
) -> None:
    promote()
    await models.refresh(["default"])
    before = models.serving("default").scorer
    await models.refresh(["default"])
    assert models.serving("default").scorer is before


async def test_a_tenant_without_a_model_does_not_borrow_one(
    models: HotSwap, promote: Promote
) -> None:
    promote()
    await models.refresh(["default", "shop-2"])
    assert models.serving("shop-2").version == NO_MODEL


@pytest.mark.parametrize("broken", ["flipped", "cut", "gone"])
async def test_a_broken_version_leaves_the_one_that_serves(
    models: HotSwap, promote: Promote, broken: str
) -> None:
    promote()
    await models.refresh(["default"])
    harm(promote(), broken)
    with pytest.raises(ArtifactRefused):
        await models.refresh(["default"])
    assert models.serving("default").version == "embedding-v1"


async def test_a_version_signed_by_another_is_refused(
    registry: Registry, pointer: MemoryPointer, promote: Promote
) -> None:
    stranger = Ed25519PrivateKey.generate().public_key()
    promote()
    with pytest.raises(ArtifactRefused):
        await HotSwap("embedding", registry, pointer, stranger).refresh(["default"])


async def test_a_version_without_a_signature_is_refused(models: HotSwap, promote: Promote) -> None:
    promote()
    await models.refresh(["default"])
    (promote() / "manifest.sig").unlink()
    with pytest.raises(ArtifactRefused, match=r"manifest\.sig"):
        await models.refresh(["default"])
    assert models.serving("default").version == "embedding-v1"


async def test_an_older_version_in_the_place_of_a_newer_one_is_refused(
    models: HotSwap, pointer: MemoryPointer, promote: Promote
) -> None:
    """All of it signed by us, and the pointer moved to its hash: still not the version meant."""
    older = promote()
    await models.refresh(["default"])
    newer = promote()
    for file in older.iterdir():
        shutil.copy(file, newer / file.name)
    sha = digest((older / "manifest.json").read_bytes())
    for pinned in (pointer.current["default", "embedding"], (2, sha)):
        pointer.current["default", "embedding"] = pinned
        with pytest.raises(ArtifactRefused):
            await models.refresh(["default"])
        assert models.serving("default").version == "embedding-v1"


async def test_an_announcement_alone_brings_no_older_version_back(
    models: HotSwap, promote: Promote
) -> None:
    for _ in range(2):
        promote()
        await models.refresh(["default"])
    announced = ModelAnnouncement(
        tenant="default",
        model="embedding",
        version=1,
        manifest_sha256="0" * 64,
        promoted=True,
        verdict="promoted",
        metrics={},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    served = telemetry.SWAPS.labels("served")._value.get
    begin = served()
    running = asyncio.create_task(models.run(look_again_s=60))
    take_announcement(record(msgspec.json.encode(announced)), "embedding", models, NOON_MS)
    await until(models._asked.empty)  # before the pointer moves on
    promote()
    models.announce("default")
    await until(lambda: models.serving("default").version == "embedding-v3")
    assert served() == begin + 1, "the one announced before it was not taken into service"
    running.cancel()


async def test_the_pointer_may_go_back_as_an_operator_moves_it(
    models: HotSwap, pointer: MemoryPointer, promote: Promote
) -> None:
    promote()
    first = pointer.current["default", "embedding"]
    promote()
    await models.refresh(["default"])
    pointer.current["default", "embedding"] = first
    await models.refresh(["default"])
    assert models.serving("default").version == "embedding-v1"


async def test_announcements_are_followed_past_a_refused_one(
    models: HotSwap, promote: Promote
) -> None:
    running = asyncio.create_task(models.run())
    refused = telemetry.SWAPS.labels("refused")._value.get()
    harm(promote(), "flipped")
    models.announce("default")
    await until(lambda: telemetry.SWAPS.labels("refused")._value.get() == refused + 1)
    assert models.serving("default").version == NO_MODEL
    promote()
    models.announce("default")
    await until(lambda: models.serving("default").version == "embedding-v2")
    running.cancel()


async def test_a_missed_announcement_is_made_up_for(models: HotSwap, promote: Promote) -> None:
    models.know("default")
    running = asyncio.create_task(models.run(look_again_s=0.01))
    await asyncio.sleep(0)
    promote()
    await until(lambda: models.serving("default").version == "embedding-v1")
    running.cancel()


async def test_a_refused_load_is_tried_again_and_told_once_per_version(
    models: HotSwap, promote: Promote
) -> None:
    refused = telemetry.SWAPS.labels("refused")._value.get
    begin = refused()
    largest, whole = largest_of(promote())
    largest.unlink()
    models.announce("default")
    with capture_logs() as logs:
        running = asyncio.create_task(models.run(look_again_s=0.01))
        await until(lambda: refused() >= begin + 3)
        told = [line for line in logs if line["event"] == "model refused"]
        assert len(told) == 1
        largest.write_bytes(whole)
        await until(lambda: models.serving("default").version == "embedding-v1")
        largest_of(promote())[0].unlink()
        await until(lambda: sum(line["event"] == "model refused" for line in logs) == 2)
    running.cancel()


async def test_a_refused_version_of_an_experiment_is_counted_as_long_as_it_is_refused(
    registry: Registry,
    pointer: MemoryPointer,
    key: Ed25519PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("millstream.model.serving.RETRY_S", 0.0)
    named = {PinnedVersion(9, "0" * 64)}
    models = HotSwap("embedding", registry, pointer, key.public_key(), lambda _: named)
    refused = telemetry.SWAPS.labels("refused")._value.get
    begin = refused()
    with capture_logs() as logs:
        for _ in range(3):
            await models.look_up(["default"])
    assert refused() == begin + 3, "MillstreamModelRefused asks for what has grown lately"
    assert [line["version"] for line in logs] == [9]
    named.clear()
    await models.look_up(["default"])
    assert refused() == begin + 3


async def test_one_tenants_refused_model_does_not_hold_up_anothers(
    models: HotSwap, promote: Promote
) -> None:
    models.know("another")
    promote()
    models.know("default")
    models._pointer.current["another", "embedding"] = (9, "0" * 64)  # type: ignore[attr-defined]
    await models.look_up()
    assert models.serving("default").version == "embedding-v1"


async def test_a_review_model_in_service_changes_no_list(
    models: HotSwap,
    promote: Promote,
    registry: Registry,
    pointer: MemoryPointer,
    key: Ed25519PrivateKey,
) -> None:
    promote()
    await models.refresh(["default"])
    before = models.serving("default")
    manifest, sha = registry.register_reviews(linear_model(), describe_reviews, key, above=7)
    pointer.current["default", "sentiment"] = (manifest.version, sha)
    await models.look_up()
    await models.refresh(["default"])
    assert models.serving("default") == before
    assert (before.version, registry.models()[1][1]) == ("embedding-v1", "sentiment")


async def test_a_worker_that_is_told_to_serve_reviews_refuses(
    registry: Registry, pointer: MemoryPointer, key: Ed25519PrivateKey
) -> None:
    mistaken = HotSwap("sentiment", registry, pointer, key.public_key())
    manifest, sha = registry.register_reviews(linear_model(), describe_reviews, key)
    pointer.current["default", "sentiment"] = (manifest.version, sha)
    with pytest.raises(ArtifactRefused, match="the manifest cannot be read"):
        await mistaken.refresh(["default"])
    assert mistaken.serving("default").version == NO_MODEL


def largest_of(version: Path) -> tuple[Path, bytes]:
    largest = max(version.iterdir(), key=lambda path: path.stat().st_size)
    return largest, largest.read_bytes()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what changes is in another thread
            await asyncio.sleep(0.001)


def harm(version: Path, how: str) -> None:
    (largest,) = sorted(version.iterdir(), key=lambda path: path.stat().st_size)[-1:]
    content = largest.read_bytes()
    if how == "gone":
        largest.unlink()
    elif how == "cut":
        largest.write_bytes(content[:-1])
    else:
        largest.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
