"""How a shopper and an item are named across Kafka and Redis."""

from __future__ import annotations

import hashlib
import re

ShopperName = tuple[str, str]
"""(tenant, shopper)."""


def record_key(tenant: str, name: str) -> bytes:
    """The Kafka key `tenant:user` or `tenant:item`: one shopper's records stay in order."""
    return f"{tenant}:{name}".encode()


_TENANT = re.compile(rb"([a-z0-9][a-z0-9-]{0,31}):")


def tenant_in(key: bytes | None) -> str | None:
    """Of a record that does not tell its tenant itself: what stands before the colon of its key,
    where that could be one (events.Tenant)."""
    found = _TENANT.match(key or b"")
    return found[1].decode() if found else None


def slot_of(tenant: str, shopper: str, slots: int) -> int:
    """The state slot, fixed for life: blake2b-64 of tenant and shopper, modulo `slots`."""
    digest = hashlib.blake2b(f"{tenant}\n{shopper}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % slots


def event_digest(event_id: str) -> bytes:
    """16 bytes that stand for an event id of up to 128 characters in the dedupe window."""
    return hashlib.blake2b(event_id.encode(), digest_size=16).digest()
