"""How a Kafka client is started at a service's door."""

from __future__ import annotations

from typing import Protocol

from aiokafka.errors import KafkaError

from millstream.domain.errors import OperatorError


class Client(Protocol):
    """A producer, consumer or admin client of aiokafka."""

    async def start(self) -> None: ...


async def started(client: Client, servers: str) -> None:
    """Raises OperatorError where no broker of `servers` answers. Closing the client is the
    caller's, also then."""
    try:
        await client.start()
    except (KafkaError, OSError) as error:
        raise OperatorError(
            "setting KAFKA_BOOTSTRAP_SERVERS",
            f"{servers}, where no broker answers ({type(error).__name__})",
            "a Kafka cluster that can be reached",
        ) from None
