"""How a Kafka client is started at a service's door."""

from __future__ import annotations

from typing import Protocol

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from millstream.domain.brokers import Servers
from millstream.domain.errors import OperatorError
from millstream.streaming.access import refusal


class Client(Protocol):
    """A producer, consumer or admin client of aiokafka."""

    async def start(self) -> None: ...


async def started(client: Client, servers: Servers) -> None:
    """Raises OperatorError where no broker of `servers` answers, or none lets us in. Closing the
    client is the caller's, also then."""
    try:
        await client.start()
    except TopicAuthorizationFailedError as error:
        raise no_right("see", servers, error) from None
    except (KafkaError, OSError):
        raise await refusal(servers) from None


def no_right(to: str, servers: Servers, error: TopicAuthorizationFailedError) -> OperatorError:
    return OperatorError(
        f"the rights on {servers}",
        f"a user who may not {to} topic {error.args[0]}",
        "what deploy/kafka/acls.yaml has for its role",
    )
