"""Where versions of a model go, whatever kind it is: the store, the pointer to the one in service,
and the topic of models."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from millstream.domain.models import Decision, ModelAnnouncement
from millstream.model.manifest import ArtifactRefused, ManifestHead
from millstream.model.registry import PointerHistory, Registry
from millstream.model.signed_files import Identity
from millstream.streaming.offload import offload
from millstream.trainer.announce import Outcome, Producer, announce, promote

_log = structlog.get_logger(__name__)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Outlet:
    """`name`: tenant and model. `topic`: that of announcements. `keep`: so many of the newest
    versions stay in the store, whatever became of them."""

    name: tuple[str, str]
    registry: Registry
    key: Ed25519PrivateKey
    pointer: PointerHistory
    producer: Producer
    topic: str
    keep: int

    @property
    def public_key(self) -> Ed25519PublicKey:
        return self.key.public_key()

    async def in_service(
        self, load: Callable[[Ed25519PublicKey, Identity], V]
    ) -> tuple[int | None, V | None]:
        """What the pointer names, None before the first promotion; and that version, as the
        registry's `load` gives it: None also where its files are refused, since shoppers are not
        served from it then either."""
        current = await self.pointer.read(*self.name)
        if current is None:
            return None, None
        try:
            wanted = Identity(*self.name, *current)
            return current[0], await offload(partial(load, self.public_key, wanted))
        except ArtifactRefused as refused:
            reason = refused.reason
            _log.warning("the version in service is refused", version=current[0], why=reason)
            return current[0], None

    async def release(
        self, manifest: ManifestHead, sha: str, expected: int | None
    ) -> ModelAnnouncement:
        """What becomes of a version that is in the store, told on the topic once it is so. `sha`:
        sha256 of its manifest. `expected`: as `in_service` told before it was trained."""
        outcome = await self._outcome(manifest, sha, expected)
        return await announce(self.producer, self.topic, manifest, sha, outcome)

    async def _outcome(self, manifest: ManifestHead, sha: str, expected: int | None) -> Outcome:
        """Refused where its files do not load or answer, current where the gate let it through and
        `expected` is current still."""
        wanted = Identity(*self.name, manifest.version, sha)
        try:
            await offload(partial(self.registry.verify, self.public_key, wanted))
        except ArtifactRefused as refused:
            return Outcome(Decision.REFUSED, f"refused: {refused.reason}")
        if not manifest.quality.passed:
            return Outcome(manifest.quality.decision, manifest.quality.verdict)
        return await promote(self.pointer, manifest, sha, expected)

    async def retain(self, named: Collection[int] | None = ()) -> None:
        """Old versions go, never one that serves or may be gone back to, or that is `named` by an
        experiment; where these are not known none goes."""
        if named is None:
            _log.warning("old versions are kept: the experiments are not read to their end")
            return
        current, before = await self.pointer.read(*self.name), await self.pointer.before(*self.name)
        served = {version[0] for version in (current, *before[:1]) if version is not None}
        served.update(named)
        removed = await offload(partial(self.registry.retain, *self.name, self.keep, served))
        if removed:
            _log.info("old versions removed", versions=removed)
