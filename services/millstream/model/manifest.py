"""What a version says of itself; its bytes are what is signed."""

from __future__ import annotations

import hashlib
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from millstream.domain.events import Tenant, Timestamp
from millstream.domain.models import Decision, ModelName, Network
from millstream.model.embeddings import ServingRule
from millstream.model.fairness import Fairness
from millstream.model.judgement import Judgement

SCHEMA_VERSION = 1
MAX_MANIFEST_BYTES = 1024 * 1024

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
Count = Annotated[int, Meta(ge=0)]


class ArtifactRefused(Exception):  # noqa: N818  a verdict on the files, not a fault of ours
    """The version must not be used; `reason` says why and holds no data of shoppers."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArrayFile(Struct, frozen=True, forbid_unknown_fields=True):
    sha256: Sha256
    size: Annotated[int, Meta(ge=1)]
    shape: tuple[Count, ...]
    dtype: str


class ListFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON list of `length` texts."""

    sha256: Sha256
    size: Annotated[int, Meta(ge=1)]
    length: Count


class DataWindow(Struct, frozen=True, forbid_unknown_fields=True):
    """What was trained on: log times in ms, both inclusive, and the next offset per partition."""

    first_log_ms: int
    last_log_ms: int
    offsets: dict[int, int]
    lines: Count
    """Item lines of accepted events read from the lake."""
    counted_lines: Count
    """Those of the types that trigger a training."""
    pairs: Count
    """Distinct (user, item) rows left after cleaning."""


class Provenance(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`warm`: how many versions, this one among them, went on from the one before since the last
    that learnt from a whole window; 0 for such a one."""

    code_version: str
    settings_digest: str
    seed: int
    warm: int = 0


class Interval(Struct, frozen=True, forbid_unknown_fields=True):
    """95 %, by bootstrap over shoppers; of a review model over reviews."""

    low: float
    high: float


class Quality(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Measured on the last part of the window by a model that had not seen it. `verdict` tells
    why the version may or may not become the current one, and `passed` says which. `intervals`:
    of metrics, by their names; older versions have none."""

    metrics: dict[str, float]
    verdict: str
    passed: bool
    judgement: Judgement | None = None
    """What led to the verdict; None in versions from before the gate measured against the one in
    service."""

    fairness: Fairness | None = None
    intervals: dict[str, Interval] = {}

    @property
    def decision(self) -> Decision:
        if self.judgement is not None:
            return self.judgement.decision
        return Decision.PROMOTED if self.passed else Decision.REFUSED


class Occasion(Struct, frozen=True, forbid_unknown_fields=True):
    """Why it was trained (lines, time, asked, drift) and how far the data had gone by then from
    those of the version in service, as PSI by what was looked at."""

    why: str
    drift: dict[str, float]


class IndexRule(Struct, frozen=True, forbid_unknown_fields=True):
    """The item index of a version: how many of its lists are looked into for a shopper, and the
    share of the exact first 20 that this found when it was made."""

    probes: Annotated[int, Meta(ge=1)]
    recall: Annotated[float, Meta(ge=0, le=1)]


class ManifestHead(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """What every version says of itself, whatever kind of model it is."""

    schema_version: int
    tenant: Tenant
    model: ModelName
    version: Annotated[int, Meta(ge=1)]
    arrays: dict[str, ArrayFile]
    lists: dict[str, ListFile]
    provenance: Provenance
    quality: Quality
    created_at: Timestamp


class Manifest(
    ManifestHead, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True
):
    """Of embeddings."""

    rule: ServingRule
    window: DataWindow
    index: IndexRule | None = None
    """None: every item is looked at."""
    occasion: Occasion | None = None
    network: Network = Network.DOT_PRODUCT


M = TypeVar("M", bound=ManifestHead)


def encode_manifest(manifest: ManifestHead) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2)


def decode_manifest(raw: bytes) -> Manifest:
    """Raises ArtifactRefused for what is not a manifest of embeddings."""
    return decode_as(Manifest, raw)


def decode_as(kind: type[M], raw: bytes) -> M:
    """Raises ArtifactRefused for what is not a manifest of this kind and schema."""
    try:
        manifest = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ArtifactRefused(f"the manifest cannot be read: {error}") from None
    if manifest.schema_version != SCHEMA_VERSION:
        raise ArtifactRefused(
            f"the manifest has schema version {manifest.schema_version}, "
            f"this code reads {SCHEMA_VERSION}"
        )
    return manifest


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()
