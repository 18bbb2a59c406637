"""The current version of the made-up model, by the harness's own wire."""

from __future__ import annotations

from millstream.local.chaos.made_up_model import MODEL, TENANT
from millstream.local.chaos.scene import Scene
from millstream.stores.keys import Keys


def _key(scene: Scene) -> str:
    return Keys(scene.settings.redis_prefix).model(TENANT, MODEL)


async def current(scene: Scene) -> tuple[int, str] | None:
    async with scene.redis() as wire:
        version, sha = await wire.call("HMGET", _key(scene), "version", "sha256")
    return None if version is None else (int(version), sha.decode())


async def promote(scene: Scene, version: int, sha: str) -> None:
    """While no trainer is at work."""
    async with scene.redis() as wire:
        await wire.call("HSET", _key(scene), "version", version, "sha256", sha)
