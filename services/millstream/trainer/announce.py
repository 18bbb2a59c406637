"""Stage 9: the current version moves, and the workers hear of it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import msgspec

from millstream.domain.identity import record_key
from millstream.domain.models import Decision, ModelAnnouncement
from millstream.model.manifest import ManifestHead
from millstream.model.registry import CurrentPointer


class Producer(Protocol):
    async def send_and_wait(self, topic: str, value: bytes, key: bytes, /) -> object:
        """Returns once the broker has the record."""
        ...


class Outcome(NamedTuple):
    decision: Decision
    verdict: str


async def promote(
    pointer: CurrentPointer, manifest: ManifestHead, sha: str, expected_version: int | None
) -> Outcome:
    """Makes it the current version, unless another one became that since `expected_version`."""
    moved = await pointer.promote(
        manifest.tenant, manifest.model, manifest.version, sha, expected_version
    )
    if moved:
        return Outcome(Decision.PROMOTED, manifest.quality.verdict)
    return Outcome(Decision.HELD, "held: another trainer moved the current version meanwhile")


async def announce(
    producer: Producer, topic: str, manifest: ManifestHead, sha: str, outcome: Outcome
) -> ModelAnnouncement:
    """Sent after the pointer has moved, so that a worker that hears of it finds it there."""
    judgement = manifest.quality.judgement
    announcement = ModelAnnouncement(
        tenant=manifest.tenant,
        model=manifest.model,
        version=manifest.version,
        manifest_sha256=sha,
        promoted=outcome.decision is Decision.PROMOTED,
        verdict=outcome.verdict,
        metrics=manifest.quality.metrics,
        created_at=manifest.created_at,
        decision=outcome.decision,
        reasons=() if judgement is None else judgement.reasons,
    )
    await producer.send_and_wait(
        topic, msgspec.json.encode(announcement), record_key(manifest.tenant, manifest.model)
    )
    return announcement
