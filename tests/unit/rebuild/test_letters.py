"""Which dead letters go out while records are read again."""

from __future__ import annotations

from tests.builders import TOPIC, record

from millstream.rebuild.letters import LettersAgain
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import decode_records


class Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.reasons: list[bytes] = []

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        *,
        headers: list[tuple[str, bytes]] | None = None,
    ) -> object:
        self.sent.append((topic, key, value))
        self.reasons.append(dict(headers or [])["millstream.error.reason"])
        return None


async def test_only_of_partitions_without_a_watermark() -> None:
    producer = Producer()
    letters = LettersAgain(DeadLetters(producer), settled={0})
    for partition in (0, 1):
        bad = record(b"{bad %d" % partition, partition=partition)
        decoded = await decode_records("t", partition, [bad], letters)
        assert len(decoded.letters) == 1, "it is counted either way"
    assert producer.sent == [(f"{TOPIC}.dlq", b"key", b"{bad 1")]
    assert producer.reasons == [b"undecodable"]


async def test_without_a_producer_none() -> None:
    decoded = await decode_records("t", 0, [record(b"{")], LettersAgain(None, settled={0}))
    assert len(decoded.letters) == 1
