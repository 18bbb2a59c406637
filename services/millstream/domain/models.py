"""What the trainer tells the workers about a model version."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.events import Tenant, Timestamp

ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$(?!\n)")]


class Decision(StrEnum):
    """What became of a version."""

    REFUSED = "refused"
    """Worse than the one in service, or not fit to answer."""
    HELD = "held"
    """Not worse as far as was seen, but nothing speaks for a change, or too little was seen."""
    PROMOTED = "promoted"


class Network(StrEnum):
    """What a version learns by."""

    DOT_PRODUCT = "dot-product"
    """Of a shopper's vector and an item's, which are learnt together."""
    SESSIONS = "sessions"
    """An encoder of what was touched last."""


class SessionInput(StrEnum):
    """What an encoder is told of a touch beside its item."""

    KIND = "kind"
    """Of event: a look, a cart, a purchase."""
    GAP = "gap"
    """The time since the touch before."""


class ModelAnnouncement(Struct, frozen=True, kw_only=True):
    """A version that was trained, or to which an operator went back; `promoted` says whether it
    became the current one, `decision` and `reasons` what the gate found."""

    tenant: Tenant
    model: ModelName
    version: Annotated[int, Meta(ge=1)]
    manifest_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    promoted: bool
    verdict: str
    metrics: dict[str, float]
    created_at: Timestamp
    decision: Decision | None = None
    reasons: tuple[str, ...] = ()


class TrainingRequest(Struct, frozen=True, kw_only=True):
    """Somebody wants a new version now; one that was trained since then is the answer."""

    tenant: Tenant
    model: ModelName
    requested_at: Timestamp
