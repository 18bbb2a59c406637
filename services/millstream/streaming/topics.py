"""The topics as deploy/topics.yaml describes them, and how a topic can differ from it; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from millstream.domain.errors import OperatorError

EVENTS = "shop.events.v1"
CATALOG = "shop.catalog.v1"
RECOMMENDATIONS = "reco.recommendations.v1"
MODELS = "reco.models.v1"
TRAINING = "reco.training.v1"
RULES = "reco.rules.v1"
RULE_CHANGES = "reco.rule-changes.v1"
EXPERIMENTS = "reco.experiments.v1"
DEMAND = "reco.demand.v1"
REVIEWS = "shop.reviews.v1"
REVIEW_VERDICTS = "reco.review.sentiment.v1"
REVIEW_COUNTS = "reco.review.counts.v1"
ERASURES = "privacy.erasures.v1"
DEAD_LETTERS = "shop.events.v1.dlq"
REVIEW_LETTERS = "shop.reviews.v1.dlq"

DAY_MS = 86_400_000
KEPT_FOREVER = "-1"
LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")

Partitions = Annotated[int, Meta(ge=1, le=10_000)]
Bytes = Annotated[int, Meta(ge=1024)]


class TopicSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`name` comes from the file's mapping; what is None there is filled from the file's head."""

    content: str
    key: str
    cleanup_policy: Annotated[tuple[Literal["compact", "delete"], ...], Meta(min_length=1)]
    retention_days: Annotated[float, Meta(gt=0)] | None = None
    timestamp_type: Literal["CreateTime", "LogAppendTime"] = "CreateTime"
    name: str = ""
    partitions: Partitions | None = None
    replication_factor: int | None = None
    max_message_bytes: Bytes | None = None


class _TopicsFile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    partitions: Partitions
    replication_factor: int
    max_message_bytes: Bytes
    topics: dict[str, TopicSpec]


def topics_path() -> Path:
    """deploy/topics.yaml of the source tree this code runs from; it need not exist."""
    return Path(__file__).parents[3] / "deploy" / "topics.yaml"


def read_topics(path: Path | None = None) -> tuple[TopicSpec, ...]:
    """All topics of the file, complete. Raises OperatorError where it is missing or wrong."""
    where = path or topics_path()
    try:
        file = msgspec.yaml.decode(where.read_bytes(), type=_TopicsFile)
    except FileNotFoundError:
        raise OperatorError(
            "the topics file",
            f"{where}, which does not exist",
            "deploy/topics.yaml of the source tree",
            "Installed without the tree, the path of a copy has to be given",
        ) from None
    except msgspec.DecodeError as error:  # ValidationError is one
        raise OperatorError(f"the topics file {where}", str(error), "as in the sources") from None
    head = {name: getattr(file, name) for name in _TopicsFile.__struct_fields__ if name != "topics"}
    return tuple(_complete(name, spec, head) for name, spec in file.topics.items())


def _complete(name: str, spec: TopicSpec, head: Mapping[str, int]) -> TopicSpec:
    missing = {field: value for field, value in head.items() if getattr(spec, field) is None}
    return msgspec.structs.replace(spec, name=name, **missing)


def topic_config(spec: TopicSpec, *, replay: bool) -> dict[str, str]:
    """Kafka's settings of one topic. In a replay of old data the events keep their own time, and
    retention, which would remove them at once by that time, is off."""
    replayed = replay and spec.name == EVENTS
    config = {
        "cleanup.policy": ",".join(spec.cleanup_policy),
        "max.message.bytes": str(spec.max_message_bytes),
        "message.timestamp.type": "CreateTime" if replayed else spec.timestamp_type,
    }
    if replayed:
        config["retention.ms"] = KEPT_FOREVER
    elif spec.retention_days is not None:
        config["retention.ms"] = str(round(spec.retention_days * DAY_MS))
    return config


def deployed(
    specs: Iterable[TopicSpec], *, prefix: str, partitions: int | None = None
) -> dict[str, TopicSpec]:
    """Full topic name to spec, under a deployment's prefix and, if given, its partition count.

    Raises OperatorError for a prefix that makes a name Kafka refuses."""
    named = {f"{prefix}{spec.name}": spec for spec in specs}
    for name in named:
        if not LEGAL_NAME.fullmatch(name):
            raise OperatorError(
                "the topic prefix", repr(prefix), "letters, digits, `.`, `_` and `-`, 200 at most"
            )
    if partitions is None:
        return named
    return {n: msgspec.structs.replace(s, partitions=partitions) for n, s in named.items()}


def difference(
    name: str, spec: TopicSpec, partitions: int, config: Mapping[str, str], *, replay: bool
) -> OperatorError | None:
    """What stands between a topic as found and its spec; settings the broker does not tell pass."""
    if partitions != spec.partitions:
        return OperatorError(
            f"topic {name}",
            f"{partitions} partitions",
            f"{spec.partitions} partitions",
            "Choose another prefix, or set the partitions to what the topic has",
        )
    wanted = topic_config(spec, replay=replay)
    for setting in ("cleanup.policy", "message.timestamp.type"):
        found = config.get(setting)
        if found is not None and set(found.split(",")) != set(wanted[setting].split(",")):
            return OperatorError(
                f"topic {name}",
                f"{setting}={found}",
                f"{setting}={wanted[setting]}",
                "Change the topic with the cluster's own tools, or choose another prefix",
            )
    return None
