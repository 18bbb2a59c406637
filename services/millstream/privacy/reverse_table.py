"""From a pseudonym back to the raw id: held by the gateway, one encrypted entry per shopper.

Each entry has a random key of its own (AES-256-GCM); that key stands beside it, wrapped by the
master key (RFC 3394). Deleting the row destroys both: of what other copies of the file may hold,
nothing can be read without the wrapped key, and of the file itself nothing is left to unwrap."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from millstream.domain.errors import OperatorError
from millstream.privacy.secret_files import read_secret, write_secret

MASTER_BYTES = 32
_DATA_KEY_BITS = 256
_NONCE_BYTES = 12


class Rows(Protocol):
    """Where rows stand; see stores/reverse_rows.py."""

    def get(self, tenant: str, pseudonym: str) -> tuple[bytes, bytes] | None:
        """(wrapped key, sealed id)."""

    def put(self, tenant: str, rows: Sequence[tuple[str, bytes, bytes]]) -> None:
        """(pseudonym, wrapped key, sealed id) each, all at once; a row that stands there stays as
        it is."""

    def delete(self, tenant: str, pseudonym: str) -> bool:
        """True if there was one. Its bytes are gone from the file when it returns."""


class ReverseTable:
    """Blocks on the disk; may be called from any thread."""

    def __init__(self, rows: Rows, master: bytes) -> None:
        self._rows = rows
        self._master = master

    def remember(self, tenant: str, pseudonym: str, raw_id: str) -> None:
        """Changes nothing where the shopper is known. Raises OperatorError as `raw_id`."""
        self.remember_all(tenant, [(pseudonym, raw_id)])

    def remember_all(self, tenant: str, known_as: Sequence[tuple[str, str]]) -> None:
        """As `remember`, of (pseudonym, raw id) pairs, in one go."""
        new = [pair for pair in known_as if self.raw_id(tenant, pair[0]) is None]
        if new:
            self._rows.put(tenant, [self._sealed(tenant, *pair) for pair in new])

    def _sealed(self, tenant: str, pseudonym: str, raw_id: str) -> tuple[str, bytes, bytes]:
        data_key = AESGCM.generate_key(_DATA_KEY_BITS)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        about = _about(tenant, pseudonym)
        sealed = nonce + AESGCM(data_key).encrypt(nonce, raw_id.encode(), about)
        return pseudonym, aes_key_wrap(self._master, data_key), sealed

    def raw_id(self, tenant: str, pseudonym: str) -> str | None:
        """None for a shopper who is not known, or was erased. Raises OperatorError where the
        master key is another one, or the row was tampered with."""
        row = self._rows.get(tenant, pseudonym)
        if row is None:
            return None
        wrapped, sealed = row
        nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            data_key = aes_key_unwrap(self._master, wrapped)
            return AESGCM(data_key).decrypt(nonce, body, _about(tenant, pseudonym)).decode()
        except (InvalidUnwrap, InvalidTag):
            raise OperatorError(
                "the reverse table",
                "an entry that the master key does not open",
                "the master key that it was written with",
                "Check MILLSTREAM_REVERSE_MASTER_KEY",
            ) from None

    def holds(self, tenant: str, pseudonym: str) -> bool:
        return self._rows.get(tenant, pseudonym) is not None

    def destroy(self, tenant: str, pseudonym: str) -> bool:
        """The entry and its key; true if there was one. Needs no master key."""
        return self._rows.delete(tenant, pseudonym)


def _about(tenant: str, pseudonym: str) -> bytes:
    """Bound to the entry, so that rows can't change places."""
    return f"{tenant}\n{pseudonym}".encode()


def create_master_key(path: Path) -> None:
    """Raises FileExistsError, and OperatorError where the folder can't be written."""
    write_secret(path, secrets.token_bytes(MASTER_BYTES))


def load_master_key(path: Path) -> bytes:
    """Raises OperatorError where it is missing, open to others, or none."""
    return read_secret(path, MASTER_BYTES)
