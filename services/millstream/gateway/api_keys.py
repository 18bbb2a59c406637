"""API keys: who may do what for which tenant. A file holds their digests, never the keys.

A key has 256 random bits, so one round of SHA-256 is enough: there is nothing to guess that a slow
hash would protect, and to look a digest up tells by its time nothing of the key."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from millstream.domain.clock import Clock, as_datetime
from millstream.domain.errors import OperatorError
from millstream.domain.events import Tenant, Timestamp

PREFIX = "ms"
_SECRET_BYTES = 32


class Scope(StrEnum):
    EVENTS_WRITE = "events:write"
    LISTS_READ = "lists:read"
    ADMIN = "admin"
    """Catalogue, models, dead letters and erasures of the tenant; neither of the others."""


class ApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{12}$(?!\n)")]
    """Stands in lists and metrics, and in front of the secret part of the key."""
    tenant: Tenant
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    created_at: Timestamp
    revoked_at: Timestamp | None = None
    note: Annotated[str, Meta(max_length=128)] = ""


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    keys: tuple[ApiKey, ...] = ()


def digest_of(token: bytes) -> str:
    return hashlib.sha256(token).hexdigest()


def read_keys(path: Path) -> tuple[ApiKey, ...]:
    """Revoked ones among them; none where the file is missing. Raises OperatorError for what is
    no such file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).keys
    except FileNotFoundError:
        return ()
    except (OSError, msgspec.MsgspecError) as error:
        raise OperatorError(
            "the file of API keys",
            f"{path} ({type(error).__name__})",
            "what `millstream keys api create` writes",
        ) from None


def create(
    path: Path, tenant: str, scopes: tuple[Scope, ...], note: str, clock: Clock
) -> tuple[ApiKey, str]:
    """The new key's entry, which is on the disk, and the key itself, which is told this once.
    Raises OperatorError as `read_keys`, and where the file can't be written."""
    key_id = secrets.token_hex(6)
    token = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    made = ApiKey(
        key_id=key_id,
        tenant=tenant,
        scopes=scopes,
        sha256=digest_of(token.encode()),
        created_at=as_datetime(clock()),
        note=note,
    )
    with _locked(path):
        _write(path, (*read_keys(path), made))
    return made, token


def revoke(path: Path, key_id: str, clock: Clock) -> ApiKey:
    """Running gateways learn of it within seconds. Twice is harmless. Raises OperatorError for a
    key that is not there."""
    with _locked(path):
        keys = {key.key_id: key for key in read_keys(path)}
        found = keys.get(key_id)
        if found is None:
            raise OperatorError(
                "the API key",
                repr(key_id),
                "the id of one that `millstream keys api list` says",
            )
        if found.revoked_at is None:
            found = msgspec.structs.replace(found, revoked_at=as_datetime(clock()))
            keys[key_id] = found
            _write(path, tuple(keys.values()))
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Two that write at once do so one after the other."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, keys: tuple[ApiKey, ...]) -> None:
    """Whole or not at all; for its owner and, so that a gateway may run as another, its group."""
    body = msgspec.json.format(msgspec.json.encode(_File(keys)), indent=2)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".api-keys-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(body + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o640)
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> OperatorError:
    return OperatorError("the file of API keys", f"{path} ({error.strerror})", "a writable file")
