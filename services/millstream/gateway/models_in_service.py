"""The models by which lists are made for a request: each tenant's current version, as it moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.gateway.stored_lists import NO_MODEL
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, Registry
from millstream.model.scorer import Scorer
from millstream.model.signed_files import Identity

LOOK_S = 1.0

log = structlog.get_logger("millstream.gateway")

Version = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Serving:
    version: str
    scorer: Scorer | None


class Models:
    def __init__(
        self,
        model: str,
        registry: Registry,
        pointer: CurrentPointer,
        key: Ed25519PublicKey,
        tenants: Callable[[], Collection[str]],
    ) -> None:
        self._model = model
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._tenants = tenants
        self._serving: dict[str, Serving] = {}
        self._tried: dict[str, Version] = {}

    def serving(self, tenant: str) -> Serving:
        return self._serving.get(tenant, Serving(NO_MODEL, None))

    async def refresh(self) -> None:
        """Takes each tenant's current version into service; one that is refused leaves the old one
        and is told of once. Raises what Redis raises."""
        for tenant in self._tenants():
            current = await self._pointer.read(tenant, self._model)
            if current is not None and current != self._tried.get(tenant):
                self._tried[tenant] = current
                await self._load(tenant, current)

    async def follow(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001  the version in service goes on serving
                log.warning("models not looked up", kind=type(error).__name__)

    async def _load(self, tenant: str, current: Version) -> None:
        wanted = Identity(tenant, self._model, *current)
        try:
            loaded = await asyncio.to_thread(self._registry.load, self._key, wanted)
        except (ArtifactRefused, OperatorError, OSError) as refused:
            log.error("model refused", tenant=tenant, version=current[0], why=str(refused))
            return
        self._serving[tenant] = Serving(f"{self._model}-v{current[0]}", loaded.scorer)
        log.info("model in service", tenant=tenant, model=self._model, version=current[0])
