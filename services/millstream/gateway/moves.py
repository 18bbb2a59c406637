"""An operator moves the current version of a model, and the workers hear of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from millstream.domain.identity import record_key
from millstream.domain.models import Decision, ModelAnnouncement
from millstream.gateway.delivery import Delivery
from millstream.gateway.problems import Refusal
from millstream.model.manifest import ArtifactRefused, ManifestHead
from millstream.model.registry import PointerHistory, Registry
from millstream.model.signed_files import Identity


class Moved(Struct, frozen=True):
    """The current version from now on; workers follow within seconds."""

    model: str
    version: int
    verdict: str


class Moves:
    """Raises Refusal: 404 for what is not there, 409 for what may not be now; and what Redis
    raises. Versions are checked as workers check them, in a thread."""

    def __init__(
        self,
        registry: Registry,
        pointer: PointerHistory,
        key: Ed25519PublicKey,
        delivery: Delivery,
        topic: str,
    ) -> None:
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._delivery = delivery
        self._topic = topic

    async def promote(self, tenant: str, model: str, version: int, force: bool) -> Moved:
        """`force`: also one that the gate refused or held."""
        if version not in self._registry.versions(tenant, model):
            raise Refusal(HTTPStatus.NOT_FOUND, "no such version of a model of this tenant")
        wanted = Identity(tenant, model, version)
        try:
            sha = await asyncio.to_thread(self._registry.digest, wanted)
            manifest = await self._usable(tenant, model, version, sha)
        except ArtifactRefused as refused:
            raise Refusal(HTTPStatus.CONFLICT, f"it can't be used: {refused.reason}") from None
        quality = manifest.quality
        if not quality.passed and not force:
            raise Refusal(
                HTTPStatus.CONFLICT, f"the gate did not let it through: {quality.verdict}"
            )
        current = await self._pointer.read(tenant, model)
        expected = None if current is None else current[0]
        moved = await self._pointer.choose(tenant, model, version, sha, expected)
        return await self._told(moved, manifest, sha, "promoted by an operator")

    async def roll_back(self, tenant: str, model: str) -> Moved:
        """To the last one before the current that can still be used."""
        current = await self._pointer.read(tenant, model)
        if current is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "no model of that name serves this tenant")
        for version, sha in await self._pointer.before(tenant, model):
            try:
                manifest = await self._usable(tenant, model, version, sha)
            except ArtifactRefused:
                continue
            moved = await self._pointer.go_back(tenant, model, version, sha, current[0])
            why = f"rolled back from v{current[0]} by an operator"
            return await self._told(moved, manifest, sha, why)
        raise Refusal(HTTPStatus.CONFLICT, "no version that served before can still be used")

    async def _usable(self, tenant: str, model: str, version: int, sha: str) -> ManifestHead:
        wanted = Identity(tenant, model, version, sha)
        return await asyncio.to_thread(self._registry.verify, self._key, wanted)

    async def _told(self, moved: bool, manifest: ManifestHead, sha: str, verdict: str) -> Moved:
        """The pointer has moved first, so that whoever hears of it finds it moved."""
        if not moved:
            raise Refusal(HTTPStatus.CONFLICT, "somebody else moved it meanwhile: look again")
        told = ModelAnnouncement(
            tenant=manifest.tenant,
            model=manifest.model,
            version=manifest.version,
            manifest_sha256=sha,
            promoted=True,
            verdict=verdict,
            metrics=manifest.quality.metrics,
            created_at=manifest.created_at,
            decision=Decision.PROMOTED,
        )
        key = record_key(manifest.tenant, manifest.model)
        await self._delivery.deliver(self._topic, [(key, msgspec.json.encode(told))])
        return Moved(manifest.model, manifest.version, verdict)
