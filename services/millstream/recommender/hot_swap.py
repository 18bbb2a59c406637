"""The models in service: one reference per tenant, swapped while lists are made.

An announcement only says when to look: which version serves is what the pointer in Redis says, and
it moves by compare-and-set. So a stale trainer, or a log that is read again, brings no older
version back; an operator who moves the pointer back does, and all workers follow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, LoadedModel, Registry
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity
from millstream.recommender import telemetry

log = structlog.get_logger()

NO_MODEL = "none"
LOOK_AGAIN_S = 30.0
"""An announcement may be lost, and a load that failed may work later."""


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
        self._known: set[str] = set()
        self._wanted: dict[str, int] = {}
        self._told: dict[str, int | None] = {}
        self._asked: asyncio.Queue[str] = asyncio.Queue()

    def serving(self, tenant: str) -> Serving:
        """What to score a batch with: taken once, so that no list mixes two models."""
        loaded = self._loaded.get(tenant)
        if loaded is None:
            return Serving(NO_MODEL, None)
        return Serving(f"{self._model}-v{loaded.manifest.version}", loaded.scorer)

    def announce(self, tenant: str) -> None:
        """Someone says that a tenant's current model changed; `run` looks it up."""
        self._known.add(tenant)
        self._asked.put_nowait(tenant)

    def know(self, tenant: str) -> None:
        """A tenant whose current model is looked up now and then, also without announcements."""
        self._known.add(tenant)

    async def run(self, look_again_s: float = LOOK_AGAIN_S) -> None:
        """Follows announcements for ever, and looks every `look_again_s` seconds whether one was
        missed; a version that can't be served leaves the old one."""
        while True:
            try:
                async with asyncio.timeout(look_again_s):
                    tenants = [await self._asked.get()]
            except TimeoutError:
                tenants = sorted(self._known)
            await self.look_up(tenants)

    async def look_up(self, tenants: Iterable[str] | None = None) -> None:
        """`refresh` of each of `tenants`, or of all that are known; a refusal is counted and, once
        per version, logged."""
        for tenant in sorted(self._known) if tenants is None else tenants:
            try:
                await self.refresh([tenant])
            except (ArtifactRefused, OperatorError) as refused:
                self._note(tenant, str(refused))

    def _note(self, tenant: str, why: str) -> None:
        telemetry.SWAPS.labels("refused").inc()
        version = self._wanted.get(tenant)
        if tenant not in self._told or self._told[tenant] != version:
            self._told[tenant] = version
            log.error("model refused", tenant=tenant, why=why)

    async def refresh(self, tenants: Iterable[str]) -> None:
        """Takes each tenant's current version into service. Raises ArtifactRefused."""
        for tenant in tenants:
            current = await self._pointer.read(tenant, self._model)
            loaded = self._loaded.get(tenant)
            if current is None or (loaded and loaded.manifest.version == current[0]):
                continue
            self._wanted[tenant] = current[0]
            wanted = Identity(tenant, self._model, *current)
            self._loaded[tenant] = await asyncio.to_thread(self._registry.load, self._key, wanted)
            telemetry.SWAPS.labels("served").inc()
            telemetry.MODEL_VERSION.labels(tenant).set(current[0])
            created = self._loaded[tenant].manifest.created_at.timestamp()
            telemetry.MODEL_CREATED.labels(tenant).set(created)
            log.info("model in service", tenant=tenant, model=self._model, version=current[0])
