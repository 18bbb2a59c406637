"""Stage 9: the current version moves, and the workers hear of it."""

from __future__ import annotations

from typing import Protocol

import msgspec

from millstream.domain.identity import record_key
from millstream.domain.models import ModelAnnouncement
from millstream.model.manifest import Manifest
from millstream.model.registry import CurrentPointer


class Producer(Protocol):
    async def send_and_wait(self, topic: str, value: bytes, key: bytes, /) -> object:
        """Returns once the broker has the record."""
        ...


async def promote(
    pointer: CurrentPointer, manifest: Manifest, sha: str, expected_version: int | None
) -> tuple[bool, str]:
    """(whether this version is the current one now, the verdict to announce)."""
    moved = await pointer.promote(
        manifest.tenant, manifest.model, manifest.version, sha, expected_version
    )
    if moved:
        return True, f"promoted, {manifest.quality.verdict}"
    return False, "not promoted: another trainer moved the current version meanwhile"


async def announce(
    producer: Producer, topic: str, manifest: Manifest, sha: str, outcome: tuple[bool, str]
) -> ModelAnnouncement:
    """Sent after the pointer has moved, so that a worker that hears of it finds it there."""
    promoted, verdict = outcome
    announcement = ModelAnnouncement(
        tenant=manifest.tenant,
        model=manifest.model,
        version=manifest.version,
        manifest_sha256=sha,
        promoted=promoted,
        verdict=verdict,
        metrics=manifest.quality.metrics,
        created_at=manifest.created_at,
    )
    await producer.send_and_wait(
        topic, msgspec.json.encode(announcement), record_key(manifest.tenant, manifest.model)
    )
    return announcement
