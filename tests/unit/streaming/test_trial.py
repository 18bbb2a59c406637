"""What a record does to the process that decodes it; the deaths themselves are in tests/flow."""

from __future__ import annotations

import time

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.builders import event, record

from millstream.domain.replayed import OriginOf
from millstream.streaming import trial
from millstream.streaming.decode import Record, as_log_record, judge

KEY = Ed25519PrivateKey.generate().public_key().public_bytes_raw().hex()


def given(*bodies: bytes) -> bytes:
    return msgspec.msgpack.encode([as_log_record(record(body, n)) for n, body in enumerate(bodies)])


def judge_badly(monkeypatch: pytest.MonkeyPatch, hung_s: float) -> None:
    def badly(what: Record, origin_of: OriginOf) -> object:
        if what.value == b"bug":
            raise KeyError(what.offset)
        if what.value == b"endless":
            time.sleep(hung_s)
        return judge(what, origin_of)

    monkeypatch.setattr(trial, "judge", badly)


def test_events_and_refused_records_pass() -> None:
    good = msgspec.json.encode(event())
    assert trial.main([KEY], given(good, b"{", b"\xff", b"", good)) == []


def test_what_is_raised_that_is_no_refusal_would_end_the_worker(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    judge_badly(monkeypatch, 0)
    assert trial.main([KEY], given(b"{", b"bug", b"{", b"bug")) == [1, 3]
    assert not any(capfd.readouterr()), "no value of a record in a log"


def test_one_that_hangs_is_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "HANG_S", 0.3)
    judge_badly(monkeypatch, 30)
    assert trial.main([KEY], given(b"{", b"endless", b"{")) == [1]
