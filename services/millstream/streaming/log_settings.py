"""What the events topic must be set to, so that positions in it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.streaming.topic_admin import topic_settings
from millstream.streaming.topics import KEPT_FOREVER

_TOOLS = "Change it with the cluster's own tools (kafka-configs --alter --entity-type topics)"
SAFE_REPLICAS = 2
REPLICATE = f"Use 3 brokers, 3 replicas and min.insync.replicas={SAFE_REPLICAS}. {_TOOLS}"
"""What to do about `doubts`."""


async def require_events_log(servers: Servers, topic: str, *, idempotence: bool) -> list[str]:
    """Returns what an operator should know and may leave so. Raises OperatorError where counts
    could go wrong: see `refusal`."""
    config = await topic_settings(servers, topic)
    wrong = refusal(topic, config, idempotence=idempotence)
    if wrong is not None:
        raise wrong
    return list(doubts(config))


def tells_all(config: Mapping[str, str]) -> bool:
    """Apache Kafka tells the defaults too; the embedded broker what it was given, and no more."""
    return "min.insync.replicas" in config


def refusal(topic: str, config: Mapping[str, str], *, idempotence: bool) -> OperatorError | None:
    """`config`: the topic's settings as the broker tells them; `idempotence`: of our producer."""
    policy = config.get("cleanup.policy", "delete")
    if policy != "delete":  # a compacted log has holes that nobody made
        return _wrong(topic, "cleanup.policy", policy, "delete")
    if not tells_all(config):
        return None
    time, kept = config.get("message.timestamp.type"), config.get("retention.ms")
    if time != "LogAppendTime" and kept != KEPT_FOREVER:  # as `init --replay` makes it
        expected = f"LogAppendTime (or, for a replay of old events, retention.ms={KEPT_FOREVER})"
        return _wrong(topic, "message.timestamp.type", time, expected)
    unclean = config.get("unclean.leader.election.enable", "false")
    if unclean != "false":
        return _wrong(topic, "unclean.leader.election.enable", unclean, "false")
    if not idempotence:
        return OperatorError(
            "setting MILLSTREAM_KAFKA_IDEMPOTENCE", "false", "true on any broker but the embedded"
        )
    return None


def doubts(config: Mapping[str, str]) -> Iterator[str]:
    replicas = config.get("min.insync.replicas")
    if replicas is not None and int(replicas) < SAFE_REPLICAS:
        yield (
            f"the events topic has min.insync.replicas={replicas}: a record that was acknowledged "
            "can be lost with one broker"
        )


def _wrong(topic: str, setting: str, found: str | None, expected: str) -> OperatorError:
    return OperatorError(f"topic {topic}", f"{setting}={found}", f"{setting}={expected}", _TOOLS)
