"""Signing replayed letters, and telling those that the operator signed from those nobody did."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from millstream.domain.log import Headers
from millstream.domain.replayed import (
    ORIGIN,
    SIGNATURE,
    Origin,
    OriginOf,
    read_claim,
    to_sign,
    without_ours,
)


def signed_headers(
    key: Ed25519PrivateKey, origin: Origin, record_key: bytes | None, value: bytes, theirs: Headers
) -> Headers:
    """`theirs` less headers of ours, then the claim and its signature."""
    claim, kept = origin.claim(), without_ours(theirs)
    signature = key.sign(to_sign(claim, record_key, value, kept))
    return (*kept, (ORIGIN, claim), (SIGNATURE, signature))


def signed_origins(*keys: Ed25519PublicKey) -> OriginOf:
    """The rule by which a claim counts: one claim, one signature by any of the keys, and the record
    is on the topic that it claims to come from. Costs some 100 us for each key and record with a
    claim, next to nothing for others."""

    def origin_of(
        topic: str, record_key: bytes | None, value: bytes | None, headers: Headers
    ) -> Origin | None:
        claims = [held for name, held in headers if name == ORIGIN]
        if not claims:
            return None
        signatures = [held for name, held in headers if name == SIGNATURE]
        if len(claims) != 1 or len(signatures) != 1:
            return None
        (claim,), (signature,) = claims, signatures
        origin = read_claim(claim or b"")
        if origin is None or claim is None or origin.topic != topic:
            return None
        signed = to_sign(claim, record_key, value, headers)
        return origin if any(_fits(key, signature or b"", signed) for key in keys) else None

    return origin_of


def _fits(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True
