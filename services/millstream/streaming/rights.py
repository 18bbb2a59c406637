"""What a role may do on a cluster with ACLs, as the cluster tells it, beside what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

import yaml
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, for_code

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.streaming.access import access
from millstream.streaming.rights_request import TopicRights
from millstream.streaming.starting import started
from millstream.streaming.topics import topics_path

ANSWER_MS = 5_000
ACLS = "deploy/kafka/acls.yaml"


class Right(IntEnum):
    """Kafka's codes of operations."""

    READ = 3
    WRITE = 4
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10

    @property
    def title(self) -> str:
        return self.name.title().replace("_", "")


@dataclass(frozen=True, slots=True)
class Role:
    """`topics`: full names, with what is needed on each; `group`: read as a member."""

    topics: Mapping[str, frozenset[Right]]
    group: str | None


def read_role(name: str, prefix: str, group: str | None = None) -> Role:
    """Of deploy/kafka/acls.yaml, in a deployment with this prefix; `group`: where it is another
    one. Raises KeyError for a role that is not there."""
    told = yaml.safe_load((topics_path().parent / "kafka" / "acls.yaml").read_text())[name]
    rights = {right.title: right for right in Right}
    topics = {
        f"{prefix}{topic}": frozenset(rights[needed] for needed in needs)
        for topic, needs in told["topics"].items()
    }
    return Role(topics, f"{prefix}{group or told['group']}" if "group" in told else None)


async def missing_rights(servers: Servers, role: Role) -> list[str]:
    """What the role needs and may not, in words; nothing on a cluster that tells no rights. A topic
    that is not there looks like one that it may not see. Raises OperatorError where the cluster
    does not let us in."""
    admin = AIOKafkaAdminClient(**access(servers), request_timeout_ms=ANSWER_MS)
    try:
        await started(admin, servers)
        told = await _told(admin, list(role.topics))
        missing = [
            f"{right.title} on topic {topic}"
            for topic, rights in told.items()
            for right in sorted(role.topics[topic])
            if not rights & 1 << right
        ]
        if role.group and await _is_hidden(admin, role.group):
            missing.append(f"Read on group {role.group}")
    except (KafkaError, OSError, TimeoutError) as error:
        raise OperatorError(
            "Kafka", f"{type(error).__name__} from {servers}", "a cluster that tells our rights"
        ) from error
    finally:
        await admin.close()
    return missing


async def require_rights(servers: Servers, role: Role, user: str) -> None:
    """Raises OperatorError where one is missing."""
    missing = await missing_rights(servers, role)
    if missing:
        raise OperatorError(
            f"the rights of {user or 'this certificate'} on {servers}",
            f"none to {', '.join(missing)}",
            "all that this service needs",
            f"Give what {ACLS} has for it, or start it as its own user; "
            "where the topics are not there yet, run `millstream init`",
        )


async def _told(admin: AIOKafkaAdminClient, topics: list[str]) -> dict[str, int]:
    """By topic a bit for each operation, none for a topic that is hidden from us or is not there.
    No topics where the broker can't tell."""
    try:
        answer = await admin._send_request(cast(Any, TopicRights(topics)))
    except NotImplementedError:  # the embedded broker, which has no rights to tell
        return {}
    return {topic[1]: max(0, topic[4]) for topic in answer.topics}


async def _is_hidden(admin: AIOKafkaAdminClient, group: str) -> bool:
    try:
        [answer] = await admin.describe_consumer_groups([group])
    except GroupAuthorizationFailedError:
        return True
    except KafkaError:  # no coordinator before the first group
        return False
    return for_code(answer.groups[0][0]) is GroupAuthorizationFailedError
