from __future__ import annotations

import pytest

from millstream.local import brokers
from millstream.local.kafka import node_properties


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def started() -> None:
        raise AssertionError("a server was started")

    for server in ("Tansu", "ApacheKafka", "Valkey"):
        monkeypatch.setattr(brokers, server, started)


@pytest.mark.parametrize("embedded", ["tansu", "apache"])
def test_a_cluster_that_is_named_is_used(nothing_starts: None, embedded: str) -> None:
    named = {"KAFKA_BOOTSTRAP_SERVERS": "a:9092,b:9092"}
    with brokers.kafka("apache" if embedded == "apache" else "tansu", named) as cluster:
        assert cluster.bootstrap_servers == "a:9092,b:9092"
        assert cluster.name == "cluster at KAFKA_BOOTSTRAP_SERVERS"
        assert (cluster.idempotent_producer, cluster.session_timeout_s) == (True, 6)


def test_a_redis_that_is_named_is_used_and_its_password_is_not_told(nothing_starts: None) -> None:
    with brokers.redis(environ={"REDIS_URL": "redis://:hush@store:6379/1"}) as store:
        assert store.url == "redis://:hush@store:6379/1"
        assert "hush" not in store.name


def test_the_node_listens_on_loopback_alone_and_takes_other_settings() -> None:
    lines = node_properties(101, 102, "here", {"num.partitions": "3", "log.dirs": "there"})
    assert lines["num.partitions"] == "3"
    assert lines["log.dirs"] == "there"
    for listener in lines["listeners"].split(","):
        assert "://127.0.0.1:" in listener
