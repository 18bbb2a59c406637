from __future__ import annotations

from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.streaming import topics
from millstream.streaming.topics import TopicSpec, deployed, difference, read_topics, topic_config

HEAD = "partitions: 12\nreplication_factor: -1\nmax_message_bytes: 1048576\n"
TOPIC = "topics:\n  a.b.v1: {content: c, key: k, cleanup_policy: [delete]"


def spec_of(name: str) -> TopicSpec:
    return next(spec for spec in read_topics() if spec.name == name)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "topics.yaml"
    path.write_text(text)
    return path


def test_the_file_describes_the_topics_that_the_code_names() -> None:
    policies = {spec.name: set(spec.cleanup_policy) for spec in read_topics()}
    assert policies == {
        topics.EVENTS: {"delete"},
        topics.CATALOG: {"compact"},
        topics.RECOMMENDATIONS: {"compact", "delete"},
        topics.MODELS: {"compact"},
        topics.TRAINING: {"compact"},
        topics.RULES: {"compact"},
        topics.RULE_CHANGES: {"compact"},
        topics.EXPERIMENTS: {"compact"},
        topics.DEMAND: {"compact"},
        topics.REVIEWS: {"delete"},
        topics.REVIEW_VERDICTS: {"delete"},
        topics.REVIEW_COUNTS: {"compact"},
        topics.ERASURES: {"compact"},
        topics.DEAD_LETTERS: {"delete"},
        topics.REVIEW_LETTERS: {"delete"},
    }
    assert {spec.partitions for spec in read_topics()} == {12}


def test_a_dead_letter_may_be_larger_than_the_largest_event() -> None:
    events, letters = spec_of(topics.EVENTS), spec_of(topics.DEAD_LETTERS)
    assert events.max_message_bytes == 1 << 20
    assert letters.max_message_bytes == 1 << 21


def test_events_take_the_logs_time_and_stay_a_week() -> None:
    assert topic_config(spec_of(topics.EVENTS), replay=False) == {
        "cleanup.policy": "delete",
        "max.message.bytes": "1048576",
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(7 * 24 * 3600 * 1000),
    }


def test_a_replay_keeps_the_events_own_time_and_all_of_them() -> None:
    config = topic_config(spec_of(topics.EVENTS), replay=True)
    assert config["message.timestamp.type"] == "CreateTime"
    assert config["retention.ms"] == "-1"
    for spec in read_topics():
        if spec.name != topics.EVENTS:
            assert topic_config(spec, replay=True) == topic_config(spec, replay=False)


def test_a_topic_may_differ_from_the_files_head(tmp_path: Path) -> None:
    path = written(tmp_path, f"{HEAD}{TOPIC}, partitions: 3}}\n")
    (spec,) = read_topics(path)
    assert (spec.name, spec.partitions, spec.max_message_bytes) == ("a.b.v1", 3, 1048576)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{HEAD}{TOPIC}, retension_days: 7}}", "retension_days"),
        (f"partitons: 12\n{HEAD}{TOPIC}}}", "partitons"),
        (f"{HEAD}{TOPIC}, partitions: 0}}", "partitions"),
        (f"{HEAD}topics:\n  a.v1: {{content: c, key: k, cleanup_policy: [compct]}}", "compct"),
        (f"{HEAD}topics:\n  a.v1: {{content: c, key: k, cleanup_policy: []}}", "cleanup_policy"),
        ("topics: [", "topics.yaml"),
    ],
)
def test_a_wrong_file_is_refused_and_the_fault_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        read_topics(written(tmp_path, text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="does not exist"):
        read_topics(tmp_path / "none.yaml")


def test_the_prefix_and_the_partitions_of_a_deployment() -> None:
    named = deployed([spec_of(topics.MODELS)], prefix="acme.", partitions=4)
    assert [(name, spec.partitions) for name, spec in named.items()] == [("acme.reco.models.v1", 4)]


@pytest.mark.parametrize("prefix", ["a b.", "ä.", "x" * 250])
def test_a_prefix_that_kafka_would_refuse_is_refused(prefix: str) -> None:
    with pytest.raises(OperatorError, match="the topic prefix"):
        deployed(read_topics(), prefix=prefix)


@pytest.mark.parametrize(
    ("partitions", "config", "told"),
    [
        (12, {"cleanup.policy": "delete,compact", "message.timestamp.type": "CreateTime"}, None),
        (12, {}, None),
        (8, {}, "8 partitions; expected 12"),
        (
            12,
            {"cleanup.policy": "delete"},
            "cleanup.policy=delete; expected cleanup.policy=compact",
        ),
        (12, {"message.timestamp.type": "LogAppendTime"}, "expected message.timestamp.type=Create"),
    ],
)
def test_a_topic_as_found_against_its_spec(
    partitions: int, config: dict[str, str], told: str | None
) -> None:
    spec = spec_of(topics.RECOMMENDATIONS)
    found = difference("p.lists", spec, partitions, config, replay=False)
    if told is None:
        assert found is None
    else:
        assert told in str(found)
        assert "topic p.lists" in str(found)
