"""Where the log and the store are: a real one when the environment names it, else one started here.

The one place that decides; commands and tests ask it and never start a server themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from millstream.local.kafka import ApacheKafka
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey

KAFKA_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
REDIS_VARIABLE = "REDIS_URL"


@dataclass(frozen=True, slots=True)
class KafkaEndpoint:
    bootstrap_servers: str
    name: str
    """For banners and for the `broker` key of results."""
    idempotent_producer: bool = True
    session_timeout_s: int = 6
    """The shortest the broker allows (Kafka's group.min.session.timeout.ms); members that die are
    missed after it."""
    tells_ends: bool = True
    """Whether its answer to the question for the end offset of a partition is right."""


@dataclass(frozen=True, slots=True)
class RedisEndpoint:
    url: str
    name: str


@contextmanager
def kafka(
    embedded: Literal["tansu", "apache"] = "tansu", environ: Mapping[str, str] = os.environ
) -> Iterator[KafkaEndpoint]:
    """A broker for as long as the context lasts; `embedded` says which one to start when
    KAFKA_BOOTSTRAP_SERVERS is unset or empty. Blocks while it starts. Raises OperatorError."""
    if given := environ.get(KAFKA_VARIABLE, ""):
        yield KafkaEndpoint(given, f"cluster at {KAFKA_VARIABLE}")
    elif embedded == "apache":
        with ApacheKafka() as node:
            yield KafkaEndpoint(node.bootstrap_servers, node.name)
    else:
        with Tansu() as broker:
            yield KafkaEndpoint(
                broker.bootstrap_servers,
                broker.name,
                idempotent_producer=False,
                session_timeout_s=10,
                tells_ends=False,
            )


@contextmanager
def redis(
    *, durable: bool = False, environ: Mapping[str, str] = os.environ
) -> Iterator[RedisEndpoint]:
    """A Redis for as long as the context lasts; `durable` as in Valkey, of no effect on a real one.

    The name of a real one holds no address, which may carry a password. Raises OperatorError."""
    if given := environ.get(REDIS_VARIABLE, ""):
        yield RedisEndpoint(given, f"Redis at {REDIS_VARIABLE}")
    else:
        with Valkey(durable=durable) as store:
            yield RedisEndpoint(store.url, store.name)
