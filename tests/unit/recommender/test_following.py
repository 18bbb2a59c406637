"""Announcements: whose tenant is known, and what does not read as one."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.builders import record

from millstream.domain.models import ModelAnnouncement
from millstream.recommender import telemetry
from millstream.recommender.following import take_announcement
from millstream.recommender.hot_swap import HotSwap


def announced(**changes: object) -> bytes:
    plain = {
        "tenant": "shop-2",
        "model": "embedding",
        "version": 1,
        "manifest_sha256": "0" * 64,
        "promoted": True,
        "verdict": "",
        "metrics": {},
        "created_at": "2026-01-01T12:00:00Z",
    }
    return json.dumps({**plain, **changes}).encode()


class Known(HotSwap):
    def __init__(self) -> None:
        self.tenants: list[str] = []

    def announce(self, tenant: str) -> None:
        self.tenants.append(tenant)


def take(value: bytes | None) -> tuple[list[str], float]:
    """The tenants made known, and how many announcements were refused."""
    known, before = Known(), telemetry.ANNOUNCEMENTS_REFUSED._value.get()
    take_announcement(record(value), "embedding", known)
    return known.tenants, telemetry.ANNOUNCEMENTS_REFUSED._value.get() - before


@pytest.mark.parametrize("promoted", [True, False])
def test_a_tenant_is_known_whether_its_version_was_promoted_or_not(promoted: bool) -> None:
    value = announced(promoted=promoted)
    assert msgspec.json.decode(value, type=ModelAnnouncement).promoted is promoted
    assert take(value) == (["shop-2"], 0)


@pytest.mark.parametrize("model", ["other", "sentiment"])
def test_another_models_announcements_are_not_ours(model: str) -> None:
    assert take(announced(model=model)) == ([], 0)


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{]",
        b"\xff",
        b"[]",
        announced(version=0),
        announced(created_at=5),
        b'{"extra":' + b"[" * 50_000,
    ],
)
def test_what_is_no_announcement_is_counted_and_passed_over(value: bytes | None) -> None:
    assert take(value) == ([], 1)
