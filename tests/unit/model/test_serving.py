"""Versions that an experiment names: held beside the one that serves, or left out and told of."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.experiments import PinnedVersion
from millstream.model import serving
from millstream.model.artifact import Files
from millstream.model.embeddings import Embeddings
from millstream.model.manifest import Manifest
from millstream.model.registry import Registry
from millstream.model.serving import NOTHING_SERVES, NamedVersions

Make = Callable[[], PinnedVersion]


@pytest.fixture
def make(
    registry: Registry,
    parts: Embeddings,
    describe: Callable[[int, Files], Manifest],
    key: Ed25519PrivateKey,
) -> Make:
    def do() -> PinnedVersion:
        manifest, sha = registry.register(parts, describe, key)
        return PinnedVersion(manifest.version, sha)

    return do


class Shelf:
    """`named`: what is asked for next; `news`: which were refused for the first time."""

    def __init__(self, registry: Registry, key: Ed25519PrivateKey) -> None:
        self.named: set[PinnedVersion] = set()
        self.news: list[int] = []
        self.versions = NamedVersions("embedding", registry, key.public_key(), lambda _: self.named)

    async def refresh(self, *named: PinnedVersion) -> list[int]:
        """Which are refused."""
        self.named = set(named)
        found = await self.versions.refresh("default", None)
        self.news = [one.version for one in found if one.is_news]
        return [one.version for one in found]


@pytest.fixture
def shelf(registry: Registry, key: Ed25519PrivateKey) -> Shelf:
    return Shelf(registry, key)


async def test_what_is_named_is_held_until_it_is_not(shelf: Shelf, make: Make) -> None:
    one, two, _ = make(), make(), make()
    assert await shelf.refresh(one, two) == []
    held = shelf.versions.of("default")
    assert {each: held[each].version for each in held} == {one: "embedding-v1", two: "embedding-v2"}
    assert shelf.versions.of("another") == {}
    await shelf.refresh(two)
    assert shelf.versions.of("default") == {two: held[two]}, "not loaded again"
    await shelf.refresh()
    assert shelf.versions.of("default") == {}
    assert one in held, "a batch in work keeps what it took"


async def test_the_one_that_serves_is_not_loaded_twice(shelf: Shelf, make: Make) -> None:
    one = make()
    shelf.named = {one}
    assert await shelf.versions.refresh("default", (one, NOTHING_SERVES)) == []
    assert shelf.versions.of("default") == {one: NOTHING_SERVES}


async def test_one_that_does_not_load_is_left_out_told_of_and_tried_again(
    shelf: Shelf, make: Make, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = make(), make()
    home = registry.directory("default", "embedding", 2)
    away = home.with_name("away")
    home.rename(away)
    assert (await shelf.refresh(one, two), shelf.news) == ([2], [2])
    assert shelf.versions.of("default").keys() == {one}
    assert await shelf.refresh(one, two) == [], "not at every look: it may be large"
    monkeypatch.setattr(serving, "RETRY_S", 0.0)
    assert (await shelf.refresh(one, two), shelf.news) == ([2], []), "refused still"
    away.rename(home)
    assert await shelf.refresh(one, two) == []
    assert shelf.versions.of("default").keys() == {one, two}
    await shelf.refresh(one)
    home.rename(away)
    assert (await shelf.refresh(one, two), shelf.news) == ([2], [2]), "refused anew"


@pytest.mark.parametrize("spoilt", ["other manifest", "flipped", "unsigned"])
async def test_only_the_very_version_is_taken(
    shelf: Shelf, make: Make, registry: Registry, spoilt: str
) -> None:
    pinned, other = make(), make()
    home = registry.directory("default", "embedding", 1)
    if spoilt == "other manifest":
        pinned = PinnedVersion(1, other.manifest_sha256)
    elif spoilt == "flipped":
        array = home / "item_vectors.npy"
        content = array.read_bytes()
        array.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        shutil.copy(home / "manifest.json", home / "manifest.sig")
    assert await shelf.refresh(pinned) == [1]
    assert shelf.versions.of("default") == {}
