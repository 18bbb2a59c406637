"""An operator moves the current version of a model, and the workers hear of it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from msgspec import Struct

from millstream.domain.models import Decision, ModelAnnouncement
from millstream.gateway.announcing import Announcing
from millstream.gateway.problems import Refusal, away
from millstream.gateway.readiness import Probe, says_yes
from millstream.model.manifest import ArtifactRefused, ManifestHead
from millstream.model.registry import PointerHistory, Registry
from millstream.model.signed_files import Identity


class Moved(Struct, frozen=True):
    """The current version from now on; workers follow within seconds, or within half a minute where
    it is not `announced`: Kafka went away since it was asked, and is told of it later."""

    model: str
    version: int
    verdict: str
    announced: bool


class Moves:
    """Raises Refusal: 404 for what is not there, 409 for what may not be now, 503 where Kafka does
    not answer, before anything has moved: what has moved is never refused; and what Redis raises.
    Versions are checked as workers check them, in a thread. `kafka`: whether it answers."""

    def __init__(
        self,
        registry: Registry,
        pointer: PointerHistory,
        key: Ed25519PublicKey,
        announcing: Announcing,
        kafka: Probe,
    ) -> None:
        self._registry = registry
        self._pointer = pointer
        self._key = key
        self._announcing = announcing
        self._kafka = kafka

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
        await self._require_kafka()
        moved = await self._pointer.choose(tenant, model, version, sha, expected)
        return await self._told(moved, manifest, sha, "promoted by an operator")

    async def roll_back(self, tenant: str, model: str, current_version: int | None) -> Moved:
        """To the last one before the current that can still be used. `current_version`: only from
        that one, so that who asks again goes back once."""
        current = await self._pointer.read(tenant, model)
        if current is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "no model of that name serves this tenant")
        if current_version not in {None, current[0]}:
            raise Refusal(HTTPStatus.CONFLICT, "another version is the current one: look again")
        for version, sha in await self._pointer.before(tenant, model):
            try:
                manifest = await self._usable(tenant, model, version, sha)
            except ArtifactRefused:
                continue
            await self._require_kafka()
            moved = await self._pointer.go_back(tenant, model, version, sha, current[0])
            why = f"rolled back from v{current[0]} by an operator"
            return await self._told(moved, manifest, sha, why)
        raise Refusal(HTTPStatus.CONFLICT, "no version that served before can still be used")

    async def _usable(self, tenant: str, model: str, version: int, sha: str) -> ManifestHead:
        wanted = Identity(tenant, model, version, sha)
        return await asyncio.to_thread(self._registry.verify, self._key, wanted)

    async def _require_kafka(self) -> None:
        if not await says_yes(self._kafka):
            raise away("Kafka does not answer, and nothing has moved")

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
        announced = await self._announcing.tell(told)
        return Moved(manifest.model, manifest.version, verdict, announced)
