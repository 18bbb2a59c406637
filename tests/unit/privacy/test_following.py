"""Of the erasures topic each shopper's latest mark counts; what is no erasure is passed over."""

from __future__ import annotations

import msgspec
import pytest
from tests.builders import NOON_MS, record

from millstream.domain.clock import as_datetime
from millstream.domain.erasures import Erasure
from millstream.domain.lists import Origin
from millstream.privacy.following import ErasureMarks


def asked(user: str, at_ms: int) -> bytes:
    erasure = Erasure(tenant="shop", user=user, time=as_datetime(at_ms), origin=Origin("t", 0, 1))
    return msgspec.json.encode(erasure)


def test_the_latest_mark_counts_whatever_the_order() -> None:
    erasures = ErasureMarks()
    for value in (asked("a", NOON_MS + 5), asked("b", NOON_MS), asked("a", NOON_MS)):
        erasures.take(record(value))
    assert erasures.marks == {("shop", "a"): NOON_MS + 5, ("shop", "b"): NOON_MS}
    assert erasures.take_new() == erasures.marks
    erasures.take(record(asked("b", NOON_MS + 1)))
    erasures.take(record(asked("b", NOON_MS + 1)))
    assert erasures.take_new() == {("shop", "b"): NOON_MS + 1}
    assert erasures.take_new() == {}


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b'{"tenant":"shop"}'])
def test_what_is_no_erasure_erases_nobody(
    value: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    erasures = ErasureMarks()
    erasures.take(record(value, 12))
    assert not erasures.marks
    assert ("12" in capsys.readouterr().out) is (value is not None), "told by its place"
