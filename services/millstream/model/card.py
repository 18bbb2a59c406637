"""A version's card as data: what of the signed manifest a person would ask about."""

from __future__ import annotations

from msgspec import Struct

from millstream.domain.events import Timestamp
from millstream.domain.models import Network
from millstream.model.embeddings import ServingRule
from millstream.model.manifest import DataWindow, Manifest, Occasion, Provenance, Quality


class Card(Struct, frozen=True):
    tenant: str
    model: str
    version: int
    created_at: Timestamp
    quality: Quality
    window: DataWindow
    provenance: Provenance
    occasion: Occasion | None
    rule: ServingRule
    network: Network
    users: int
    items: int


def card_of(manifest: Manifest) -> Card:
    return Card(
        manifest.tenant,
        manifest.model,
        manifest.version,
        manifest.created_at,
        manifest.quality,
        manifest.window,
        manifest.provenance,
        manifest.occasion,
        manifest.rule,
        manifest.network,
        manifest.lists["users"].length,
        manifest.lists["items"].length,
    )
