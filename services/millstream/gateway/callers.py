"""Who calls: the keys in force in memory, each with its tenant, scopes and pseudonyms."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from millstream.domain.errors import OperatorError
from millstream.domain.pseudonyms import Pseudonyms
from millstream.gateway.api_keys import Scope, read_keys

RELOAD_S = 1.0
CALLER = "millstream.caller"

log = structlog.get_logger("millstream.gateway")

PseudonymsOf = Callable[[str], Pseudonyms | None]
"""Of a tenant; None where ids go as they come. Raises OperatorError where its key is missing."""


@dataclass(frozen=True, slots=True)
class Caller:
    key_id: str
    tenant: str
    scopes: frozenset[Scope]
    pseudonyms: Pseudonyms | None
    note: str = ""
    """What the key is for, as was said when it was made."""

    def shopper(self, raw: str) -> str:
        """What stands for a shopper's raw id (`~` before an anonymous one) beyond this process."""
        return raw if self.pseudonyms is None else self.pseudonyms.shopper(raw)


def caller_in(scope: Any) -> Caller:
    """Where the door noted who calls, in the ASGI scope."""
    caller: Caller = scope[CALLER]
    return caller


class Callers:
    """The file's keys that are not revoked."""

    def __init__(self, path: Path, pseudonyms_of: PseudonymsOf) -> None:
        self._path = path
        self._pseudonyms_of = pseudonyms_of
        self._by_digest: dict[bytes, Caller] = {}
        self._seen: tuple[int, int] | None = None

    @property
    def tenants(self) -> frozenset[str]:
        return frozenset(caller.tenant for caller in self._by_digest.values())

    def find(self, authorization: bytes) -> Caller | None:
        """By the header `Authorization: Bearer KEY`."""
        if authorization[:7].lower() != b"bearer ":
            return None
        return self._by_digest.get(hashlib.sha256(authorization[7:].strip()).digest())

    def load(self) -> None:
        """Raises OperatorError where the file, or a tenant's pseudonym key, can't be read; what
        was in force then stays so."""
        self._seen = _stamp(self._path)
        keys = [key for key in read_keys(self._path) if key.revoked_at is None]
        pseudonyms = {tenant: self._pseudonyms_of(tenant) for tenant in {k.tenant for k in keys}}
        self._by_digest = {
            bytes.fromhex(key.sha256): Caller(
                key.key_id, key.tenant, frozenset(key.scopes), pseudonyms[key.tenant], key.note
            )
            for key in keys
        }

    async def follow(self) -> None:
        """For ever: what `keys api create` and `revoke` do is in force within RELOAD_S seconds."""
        while True:
            await asyncio.sleep(RELOAD_S)
            if _stamp(self._path) != self._seen:
                try:
                    self.load()
                except OperatorError as error:
                    log.error("api keys not read anew", why=error.found)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        held = path.stat()
    except OSError:
        return None
    return held.st_mtime_ns, held.st_ino
