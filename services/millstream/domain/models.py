"""What the trainer tells the workers about a model version."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.events import Tenant, Timestamp

ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)")]


class ModelAnnouncement(Struct, frozen=True, kw_only=True):
    """A version that was trained; `promoted` says whether it became the current one."""

    tenant: Tenant
    model: ModelName
    version: Annotated[int, Meta(ge=1)]
    manifest_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    promoted: bool
    verdict: str
    metrics: dict[str, float]
    created_at: Timestamp
