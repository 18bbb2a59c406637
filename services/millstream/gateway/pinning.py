"""The versions of the model that an experiment names, as they stand in the store now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.experiments import PinnedVersion
from millstream.gateway.problems import Refusal
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import Registry
from millstream.model.signed_files import Identity


@dataclass(frozen=True, slots=True)
class Pinning:
    """`model`: by which lists are made."""

    model: str
    registry: Registry
    key: Ed25519PublicKey

    async def pinned(self, tenant: str, versions: Sequence[int]) -> tuple[PinnedVersion, ...]:
        """Each checked as who serves it checks it, in a thread. Raises Refusal (409) for one that
        can't be used."""
        return tuple([await asyncio.to_thread(self._pinned, tenant, n) for n in versions])

    def _pinned(self, tenant: str, version: int) -> PinnedVersion:
        named = tenant, self.model, version
        try:
            sha = self.registry.digest(Identity(*named))
            self.registry.load(self.key, Identity(*named, sha))
        except ArtifactRefused as refused:
            raise Refusal(
                HTTPStatus.CONFLICT,
                f"variants: version {version} of the model can't be used: {refused.reason}",
            ) from None
        return PinnedVersion(version, sha)
