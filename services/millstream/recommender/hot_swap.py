"""The models in service: one reference per tenant, swapped while lists are made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.model.artifact import Identity
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, LoadedModel, Registry
from millstream.model.scorer import Scorer
from millstream.recommender import telemetry

log = structlog.get_logger()

NO_MODEL = "none"


@dataclass(frozen=True, slots=True)
class Serving:
    version: str
    scorer: Scorer | None


class HotSwap:
    def __init__(
        self, model: str, registry: Registry, pointer: CurrentPointer, key: Ed25519PublicKey
    ) -> None:
        self._model = model
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._loaded: dict[str, LoadedModel] = {}
        self._asked: asyncio.Queue[str] = asyncio.Queue()

    def serving(self, tenant: str) -> Serving:
        """What to score a batch with: taken once, so that no list mixes two models."""
        loaded = self._loaded.get(tenant)
        if loaded is None:
            return Serving(NO_MODEL, None)
        return Serving(f"{self._model}-v{loaded.manifest.version}", loaded.scorer)

    def announce(self, tenant: str) -> None:
        """Someone says that a tenant's current model changed; `run` looks it up."""
        self._asked.put_nowait(tenant)

    async def run(self) -> None:
        """Follows announcements for ever; a version that can't be served leaves the old one."""
        while True:
            tenant = await self._asked.get()
            try:
                await self.refresh([tenant])
            except ArtifactRefused as refused:
                telemetry.SWAPS.labels("refused").inc()
                log.error("model refused", tenant=tenant, why=str(refused))

    async def refresh(self, tenants: Iterable[str]) -> None:
        """Takes each tenant's current version into service. Raises ArtifactRefused."""
        for tenant in tenants:
            current = await self._pointer.read(tenant, self._model)
            loaded = self._loaded.get(tenant)
            if current is None or (loaded and loaded.manifest.version == current[0]):
                continue
            wanted = Identity(tenant, self._model, *current)
            self._loaded[tenant] = await asyncio.to_thread(self._registry.load, self._key, wanted)
            telemetry.SWAPS.labels("served").inc()
            telemetry.MODEL_VERSION.labels(tenant).set(current[0])
            log.info("model in service", tenant=tenant, model=self._model, version=current[0])
