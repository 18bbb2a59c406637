"""Settings of the events topic under which positions could not be trusted."""

from __future__ import annotations

import pytest

from millstream.streaming.log_settings import doubts, refusal

KAFKA = {
    "cleanup.policy": "delete",
    "message.timestamp.type": "LogAppendTime",
    "retention.ms": "604800000",
    "unclean.leader.election.enable": "false",
    "min.insync.replicas": "2",
}
REPLAY = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}


def found(changed: dict[str, str], *, idempotence: bool = True) -> str | None:
    wrong = refusal("t", KAFKA | changed, idempotence=idempotence)
    return str(wrong) if wrong else None


def test_as_init_makes_it() -> None:
    assert found({}) is None
    assert found(REPLAY) is None
    assert list(doubts(KAFKA)) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"cleanup.policy": "compact"}, "cleanup.policy=compact"),
        ({"cleanup.policy": "compact,delete"}, "cleanup.policy=compact,delete"),
        ({"message.timestamp.type": "CreateTime"}, "message.timestamp.type=CreateTime"),
        ({"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable=true"),
    ],
)
def test_what_loses_or_doubles(changed: dict[str, str], told: str) -> None:
    assert told in (found(changed) or "")


def test_a_producer_that_is_not_idempotent_is_for_the_embedded_broker() -> None:
    assert "MILLSTREAM_KAFKA_IDEMPOTENCE" in (found({}, idempotence=False) or "")
    embedded = {"cleanup.policy": "delete", "message.timestamp.type": "CreateTime"}
    assert refusal("t", embedded, idempotence=False) is None
    assert refusal("t", {}, idempotence=False) is None


def test_one_replica_is_told_and_left_so() -> None:
    lone = KAFKA | {"min.insync.replicas": "1"}
    assert refusal("t", lone, idempotence=True) is None
    assert "min.insync.replicas=1" in next(doubts(lone))
