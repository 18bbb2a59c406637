"""A tenant's model versions: what stands in the store, and which of them serves."""

from __future__ import annotations

import asyncio
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, Registry
from millstream.model.signed_files import Identity


class Version(Struct, frozen=True, omit_defaults=True):
    """`passed`, `verdict`: of the gate before its promotion. `refused`: why it can't be used.
    `makes_lists`: of the model that an experiment may name versions of."""

    model: str
    version: int
    current: bool
    passed: bool | None = None
    verdict: str | None = None
    metrics: dict[str, float] | None = None
    created_at: datetime | None = None
    refused: str | None = None
    makes_lists: bool = False


class Versions:
    """Raises what Redis raises; the store is read in a thread. `model`: by which lists are made."""

    def __init__(
        self, model: str, registry: Registry, pointer: CurrentPointer, key: Ed25519PublicKey
    ) -> None:
        self._model = model
        self._registry = registry
        self._pointer = pointer
        self._key = key

    async def all(self, tenant: str) -> tuple[Version, ...]:
        """Ascending by model and version."""
        models = [model for owner, model in self._registry.models() if owner == tenant]
        found: list[Version] = []
        for model in models:
            current = await self._pointer.read(tenant, model)
            number = None if current is None else current[0]
            found += await asyncio.to_thread(self._of, tenant, model, number)
        return tuple(found)

    def _of(self, tenant: str, model: str, current: int | None) -> list[Version]:
        return [
            self._one(Identity(tenant, model, version), version == current)
            for version in self._registry.versions(tenant, model)
        ]

    def _one(self, wanted: Identity, current: bool) -> Version:
        lists = wanted.model == self._model
        try:
            manifest = self._registry.show(self._key, wanted)
        except ArtifactRefused as refused:
            why = refused.reason
            return Version(wanted.model, wanted.version, current, refused=why, makes_lists=lists)
        quality = manifest.quality
        return Version(
            wanted.model,
            wanted.version,
            current,
            quality.passed,
            quality.verdict,
            quality.metrics,
            manifest.created_at,
            makes_lists=lists,
        )
