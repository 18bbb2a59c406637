"""The one way in which Millstream writes to Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiokafka import AIOKafkaProducer

from millstream.domain.brokers import Servers
from millstream.streaming.access import access

if TYPE_CHECKING:  # the client, which uses this file, is installed without pydantic
    from millstream.settings import ConnectionSettings

LINGER_MS = 5
BATCH_BYTES = 64 * 1024

MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""What the dead-letter topic takes; the other topics bound their records themselves."""


def open_producer(
    servers: Servers,
    *,
    client_id: str,
    idempotence: bool = True,
    linger_ms: int = LINGER_MS,
) -> AIOKafkaProducer:
    """A producer that is not started yet; to be called inside a running loop.

    A send counts when all in-sync replicas have it. Keys go to partitions by murmur2, as in the
    Java client (aiokafka's own default), so that a shopper's records stay in one partition."""
    return AIOKafkaProducer(
        **access(servers),
        client_id=client_id,
        acks="all",
        enable_idempotence=idempotence,
        compression_type="lz4",
        linger_ms=linger_ms,
        max_batch_size=BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
    )


def producer_for(
    settings: ConnectionSettings, client_id: str, linger_ms: int = LINGER_MS
) -> AIOKafkaProducer:
    """The producer of a service. `linger_ms` 0 where what belongs together is sent together."""
    return open_producer(
        settings.brokers,
        client_id=client_id,
        idempotence=settings.kafka_idempotence,
        linger_ms=linger_ms,
    )
