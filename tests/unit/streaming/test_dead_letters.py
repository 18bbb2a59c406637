"""A dead letter is the record as it was, and says where and why."""

from __future__ import annotations

import pytest

from millstream.domain.errors import Reason, Refused
from millstream.domain.log import Headers, LogRecord
from millstream.streaming.dead_letters import MAX_LETTER_BYTES, PREFIX, DeadLetters

REFUSED = Refused(Reason.WRONG_TYPE, "$.time: Expected `datetime`, got `int`")
OURS = {
    "reason": b"wrong_type",
    "detail": b"$.time: Expected `datetime`, got `int`",
    "topic": b"p.shop.events.v1",
    "partition": b"3",
    "offset": b"41",
    "log_ms": b"1767268800000",
}


class Outbox:
    def __init__(self, failure: Exception | None = None) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None, Headers]] = []
        self._failure = failure

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> object:
        assert isinstance(headers, list), "aiokafka takes no other sequence"
        if self._failure is not None:
            raise self._failure
        self.sent.append((topic, value, key, tuple(headers)))
        return None


def refused_record(
    key: bytes | None = b"\xffkey", value: bytes | None = b"\x00\xff", headers: Headers = ()
) -> LogRecord:
    return LogRecord("p.shop.events.v1", 3, 41, 1_767_268_800_000, key, value, headers)


async def sent(record: LogRecord) -> tuple[str, bytes | None, bytes | None, Headers]:
    outbox = Outbox()
    await DeadLetters(outbox).send(record, REFUSED)
    assert len(outbox.sent) == 1
    return outbox.sent[0]


def ours(headers: Headers) -> dict[str, bytes | None]:
    return {name.removeprefix(PREFIX): held for name, held in headers if name.startswith(PREFIX)}


@pytest.mark.parametrize(("key", "value"), [(b"\xffkey", b"\x00\xff"), (None, b""), (b"k", None)])
async def test_key_value_and_headers_stay_as_they_were(
    key: bytes | None, value: bytes | None
) -> None:
    theirs = (("trace", b"\xfe"), ("trace", b"2"), ("gone", None), ("sent_at", b"1"))
    topic, value_sent, key_sent, headers = await sent(refused_record(key, value, theirs))
    assert (topic, key_sent, value_sent) == ("p.shop.events.v1.dlq", key, value)
    assert headers[: len(theirs)] == theirs
    assert ours(headers) == OURS


async def test_a_letter_refused_again_names_its_last_refusal_only() -> None:
    earlier = ((f"{PREFIX}reason", b"late"), ("mine", b"1"), (f"{PREFIX}other", b"x"))
    *_, headers = await sent(refused_record(headers=earlier))
    assert ours(headers) == OURS
    assert ("mine", b"1") in headers


async def test_a_record_of_nulls_is_still_reported() -> None:
    _, value, key, headers = await sent(refused_record(None, None))
    assert (key, value, ours(headers)) == (None, b"", {**OURS, "value_was_null": b"true"})


async def test_what_the_topic_would_not_take_is_reported_without_its_content() -> None:
    fits = MAX_LETTER_BYTES - 1000
    _, value, *_ = await sent(refused_record(value=b"x" * fits))
    assert value == b"x" * fits
    for record in (
        refused_record(value=b"x" * MAX_LETTER_BYTES),
        refused_record(key=b"x" * MAX_LETTER_BYTES),
        refused_record(headers=(("h", b"x" * MAX_LETTER_BYTES),)),
    ):
        _, value, key, headers = await sent(record)
        assert (value, key, len(headers)) == (b"", None, len(OURS) + 1)
        assert int(ours(headers)["omitted_bytes"] or b"") > MAX_LETTER_BYTES


async def test_a_letter_that_did_not_leave_is_told() -> None:
    with pytest.raises(ConnectionError):
        await DeadLetters(Outbox(ConnectionError())).send(refused_record(), REFUSED)
