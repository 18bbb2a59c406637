"""The models by which lists are made for a request: each tenant's current version, as it moves, and
those that its experiment names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.domain.experiments import PinnedVersion
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, Registry
from millstream.model.serving import NOTHING_SERVES, Current, Named, NamedVersions, Serving
from millstream.model.signed_files import Identity

LOOK_S = 1.0

log = structlog.get_logger("millstream.gateway")


class Models:
    """`named`: a tenant's versions that its experiment names."""

    def __init__(
        self,
        model: str,
        registry: Registry,
        pointer: CurrentPointer,
        key: Ed25519PublicKey,
        tenants: Callable[[], Collection[str]],
        named: Callable[[str], Collection[PinnedVersion]],
    ) -> None:
        self._model = model
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._tenants = tenants
        self._named = NamedVersions(model, registry, key, named)
        self._current: dict[str, Current] = {}
        self._tried: dict[str, PinnedVersion] = {}

    def serving(self, tenant: str) -> Serving:
        current = self._current.get(tenant)
        return NOTHING_SERVES if current is None else current[1]

    def named(self, tenant: str) -> Named:
        """As `serving`, those that an experiment names."""
        return self._named.of(tenant)

    async def refresh(self) -> None:
        """Takes each tenant's current version into service, and what is named; one that is refused
        leaves the old one and is told of once. Raises what Redis raises."""
        for tenant in self._tenants():
            await self._refresh_current(tenant)
            for refused in await self._named.refresh(tenant, self._current.get(tenant)):
                if refused.is_news:
                    version, why = refused.version, refused.why
                    log.error("model refused", tenant=tenant, version=version, why=why)

    async def follow(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001  the version in service goes on serving
                log.warning("models not looked up", kind=type(error).__name__)

    async def _refresh_current(self, tenant: str) -> None:
        pointed = await self._pointer.read(tenant, self._model)
        if pointed is None or self._tried.get(tenant) == (current := PinnedVersion(*pointed)):
            return
        self._tried[tenant] = current
        wanted = Identity(tenant, self._model, *pointed)
        try:
            loaded = await asyncio.to_thread(self._registry.load, self._key, wanted)
        except (ArtifactRefused, OperatorError, OSError) as refused:
            log.error("model refused", tenant=tenant, version=current.version, why=str(refused))
            return
        self._current[tenant] = current, Serving.of(loaded)
        log.info("model in service", tenant=tenant, model=self._model, version=current.version)
