"""API keys: only their digests are kept, and who holds one is its tenant and no other."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.domain.pseudonyms import KEY_BYTES, Pseudonyms
from millstream.gateway.api_keys import Scope, create, read_keys, revoke
from millstream.gateway.callers import Callers

NOON_MS = 1_790_000_000_000
ALL = tuple(Scope)


def clock() -> int:
    return NOON_MS


def callers(path: Path) -> Callers:
    made = Callers(path, lambda tenant: Pseudonyms(b"k" * KEY_BYTES, tenant))
    made.load()
    return made


def bearer(token: str) -> bytes:
    return f"Bearer {token}".encode()


def test_the_file_holds_no_key_and_is_not_for_everyone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "keys.json"
    made, token = create(path, "shop", (Scope.LISTS_READ,), "the app's", clock)
    secret = token.rpartition(f"{made.key_id}_")[2]
    assert len(secret) >= 43, "256 bits"
    assert secret not in path.read_text()
    assert not stat.S_IMODE(path.stat().st_mode) & 0o007
    assert read_keys(path) == (made,)
    assert create(path, "shop", ALL, "", clock)[1] != token


def test_a_key_is_found_by_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, ours = create(path, "shop", (Scope.LISTS_READ,), "", clock)
    _, theirs = create(path, "other", (Scope.ADMIN, Scope.EVENTS_WRITE), "", clock)
    known = callers(path)
    found = known.find(bearer(ours))
    assert found is not None
    assert (found.tenant, found.scopes) == ("shop", frozenset({Scope.LISTS_READ}))
    other = known.find(b"bearer  " + theirs.encode())
    assert other is not None
    assert other.tenant == "other"
    assert known.tenants == {"shop", "other"}
    assert found.shopper("ann") != other.shopper("ann"), "each tenant has its own pseudonyms"
    digest = read_keys(path)[0].sha256
    for wrong in (b"", b"Bearer ", bearer(ours[:-1]), bearer(digest), b"Basic " + ours.encode()):
        assert known.find(wrong) is None


def test_a_revoked_key_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made, token = create(path, "shop", ALL, "", clock)
    _, other = create(path, "shop", ALL, "", clock)
    assert revoke(path, made.key_id, clock) == revoke(path, made.key_id, lambda: NOON_MS + 1)
    known = callers(path)
    assert known.find(bearer(token)) is None
    assert known.find(bearer(other)) is not None
    with pytest.raises(OperatorError, match="the API key"):
        revoke(path, "0" * 12, clock)


def test_what_can_not_be_read_leaves_the_keys_that_are_in_force(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    _, token = create(path, "shop", ALL, "", clock)
    known = callers(path)
    for spoilt in ("{", json.dumps({"keys": [{"key_id": "x"}]}), json.dumps({"kyes": []})):
        path.write_text(spoilt)
        with pytest.raises(OperatorError, match="file of API keys"):
            known.load()
        assert known.find(bearer(token)) is not None
    path.unlink()
    known.load()
    assert known.find(bearer(token)) is None


def test_a_tenant_without_a_pseudonym_key_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    create(path, "shop", ALL, "", clock)

    def missing(tenant: str) -> Pseudonyms:
        raise OperatorError(f"the pseudonym keys of tenant {tenant}", "none", "one")

    with pytest.raises(OperatorError, match="tenant shop"):
        Callers(path, missing).load()
