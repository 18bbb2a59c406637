"""The models in service: one reference per tenant, swapped while lists are made.

An announcement only says when to look: which version serves is what the pointer in Redis says, and
it moves by compare-and-set. So a stale trainer, or a log that is read again, brings no older
version back; an operator who moves the pointer back does, and all workers follow.

The versions that an experiment names stand beside it, and stay as they are when it is swapped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.errors import OperatorError
from millstream.domain.experiments import PinnedVersion
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import CurrentPointer, Registry
from millstream.model.serving import NOTHING_SERVES, Current, Named, NamedVersions, Serving
from millstream.model.signed_files import Identity
from millstream.recommender import telemetry

log = structlog.get_logger()

LOOK_AGAIN_S = 30.0
"""An announcement may be lost, and a load that failed may work later."""


def none_named(_tenant: str) -> Collection[PinnedVersion]:
    return ()


class HotSwap:
    """`named`: a tenant's versions that its experiment names."""

    def __init__(
        self,
        model: str,
        registry: Registry,
        pointer: CurrentPointer,
        key: Ed25519PublicKey,
        named: Callable[[str], Collection[PinnedVersion]] = none_named,
    ) -> None:
        self._model = model
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._named = NamedVersions(model, registry, key, named)
        self._current: dict[str, Current] = {}
        self._known: set[str] = set()
        self._wanted: dict[str, int] = {}
        self._told: dict[str, int | None] = {}
        self._asked: asyncio.Queue[str] = asyncio.Queue()

    def serving(self, tenant: str) -> Serving:
        """What to score a batch with: taken once, so that no list mixes two models."""
        current = self._current.get(tenant)
        return NOTHING_SERVES if current is None else current[1]

    def named(self, tenant: str) -> Named:
        """As `serving`, those that an experiment names."""
        return self._named.of(tenant)

    def announce(self, tenant: str) -> None:
        """Someone says that a tenant's current model, or what its experiment names, changed; `run`
        looks it up."""
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
        """`refresh` of each of `tenants`, or of all that are known, and then of the versions that
        are named; a refusal is counted and, once per version, logged."""
        for tenant in sorted(self._known) if tenants is None else tenants:
            try:
                await self.refresh([tenant])
            except (ArtifactRefused, OperatorError) as refused:
                self._note(tenant, str(refused))
            await self._refresh_named(tenant)

    def _note(self, tenant: str, why: str) -> None:
        telemetry.SWAPS.labels("refused").inc()
        version = self._wanted.get(tenant)
        if tenant not in self._told or self._told[tenant] != version:
            self._told[tenant] = version
            log.error("model refused", tenant=tenant, why=why)

    async def _refresh_named(self, tenant: str) -> None:
        for refused in await self._named.refresh(tenant, self._current.get(tenant)):
            telemetry.SWAPS.labels("refused").inc()
            if refused.is_news:
                log.error(
                    "model of an experiment refused: its lists are in no experiment",
                    tenant=tenant,
                    version=refused.version,
                    why=refused.why,
                )

    async def refresh(self, tenants: Iterable[str]) -> None:
        """Takes each tenant's current version into service. Raises ArtifactRefused."""
        for tenant in tenants:
            pointed = await self._pointer.read(tenant, self._model)
            held = self._current.get(tenant)
            if pointed is None or (held and held[0].version == pointed[0]):
                continue
            self._wanted[tenant] = pointed[0]
            wanted = Identity(tenant, self._model, *pointed)
            loaded = await asyncio.to_thread(self._registry.load, self._key, wanted)
            self._current[tenant] = PinnedVersion(*pointed), Serving.of(loaded)
            telemetry.served(loaded.manifest)
            log.info("model in service", tenant=tenant, model=self._model, version=pointed[0])
