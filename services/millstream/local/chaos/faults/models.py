"""Models come and go under load: good ones are swapped in, spoilt ones must never serve."""

from __future__ import annotations

import asyncio
from pathlib import Path

from millstream.local.chaos.faults.fault import Fault
from millstream.local.chaos.faults.pointer import promote
from millstream.local.chaos.made_up_model import MODEL, TENANT, announce, made_up
from millstream.local.chaos.scene import Scene
from millstream.model.manifest import Manifest
from millstream.model.registry import Registry
from millstream.model.signing import load_private_key


class ModelSwapped(Fault):
    """A new version, registered, promoted and announced as a trainer does it."""

    kind = "model-swapped"
    needs_broker = True

    async def inject(self, scene: Scene) -> None:
        registry = Registry(scene.settings.model_store)
        manifest, sha = await asyncio.to_thread(self._register, scene, registry)
        await asyncio.to_thread(
            self.spoil, scene, registry.directory(TENANT, MODEL, manifest.version)
        )
        await promote(scene, manifest.version, sha)
        await announce(scene.settings, manifest, sha)

    def spoil(self, scene: Scene, directory: Path) -> None:
        """Before anyone is told of it."""

    def _register(self, scene: Scene, registry: Registry) -> tuple[Manifest, str]:
        key = load_private_key(scene.settings.keys_dir)
        return registry.register(*made_up(scene.rng.randrange(2**32)), key)


class ModelSpoilt(ModelSwapped):
    """A bit of it flips on the disk, or its end is missing: the one before it goes on serving."""

    kind = "model-spoilt"

    def spoil(self, scene: Scene, directory: Path) -> None:
        files = sorted(path for path in directory.iterdir() if path.stat().st_size > 1)
        path = scene.rng.choice(files)
        content = bytearray(path.read_bytes())
        place = scene.rng.randrange(len(content))
        if scene.rng.random() < 0.5:
            del content[place:]
        else:
            content[place] ^= 1 << scene.rng.randrange(8)
        path.chmod(0o644)
        path.write_bytes(content)
        scene.spoilt.add(f"{MODEL}-v{int(directory.name.removeprefix('v'))}")


KINDS: tuple[type[Fault], ...] = (ModelSwapped, ModelSpoilt)
