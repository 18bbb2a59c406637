"""What follows once a version is registered, whatever kind of model it is."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from millstream.domain.models import Decision
from millstream.model.manifest import ArtifactRefused, ManifestHead
from millstream.model.registry import CurrentPointer, PointerHistory, Registry
from millstream.model.signed_files import Identity
from millstream.streaming.offload import offload
from millstream.trainer.announce import Outcome, promote

_log = structlog.get_logger(__name__)


async def released(
    registry: Registry,
    key: Ed25519PublicKey,
    pointer: CurrentPointer,
    version: tuple[ManifestHead, str],
    expected: int | None,
) -> Outcome:
    """What becomes of a version: refused where its files do not load or answer, current where the
    gate let it through and `expected` is current still. `version`: manifest and its sha256."""
    manifest, sha = version
    wanted = Identity(manifest.tenant, manifest.model, manifest.version, sha)
    try:
        await offload(partial(registry.verify, key, wanted))
    except ArtifactRefused as refused:
        return Outcome(Decision.REFUSED, f"refused: {refused.reason}")
    if not manifest.quality.passed:
        return Outcome(manifest.quality.decision, manifest.quality.verdict)
    return await promote(pointer, manifest, sha, expected)


async def retain(
    registry: Registry,
    pointer: PointerHistory,
    name: tuple[str, str],
    newest: int,
    named: Collection[int] | None = (),
) -> None:
    """Old versions go, never one that serves or may be gone back to, or that is `named` by an
    experiment; where these are not known none goes. `name`: tenant and model."""
    if named is None:
        _log.warning("old versions are kept: the experiments are not read to their end")
        return
    current, before = await pointer.read(*name), await pointer.before(*name)
    served = {version[0] for version in (current, *before[:1]) if version is not None}
    served.update(named)
    removed = await offload(partial(registry.retain, *name, newest, served))
    if removed:
        _log.info("old versions removed", versions=removed)
