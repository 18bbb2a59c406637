"""`millstream bench gateway-flood`: how long a tenant waits for its lists while another one floods
the same gateway with events.

One gateway process as in production, two tenants with a key each. The quiet one asks for stored
lists, `connections` at a time with a pause after each answer, alone; then once more while the other
one sends batches of 500 events as fast as it is answered, over `noisy_connections`, and does not
heed Retry-After (http_flood.py). What the noisy one is let in with is its rate
(MILLSTREAM_GATEWAY_EVENTS_PER_SECOND, `events_per_second`); the rest is refused."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any, cast

import msgspec
from benchmarks.gateway import (
    MODULES,
    TENANT,
    WARM_UP_S,
    HttpProcess,
    prepare,
    told_of,
    variables_of,
)
from benchmarks.http_flood import Flood, Poured
from benchmarks.http_load import Load, Told
from benchmarks.machine import machine
from rich.console import Console

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.gateway.api_keys import Scope, create
from millstream.gateway.hot_lists import PATH
from millstream.gateway.settings import GatewaySettings
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment
from millstream.local.guard import guarded_directory
from millstream.local.ports import LOOPBACK
from millstream.privacy.key_files import rotate
from millstream.settings import load

NOISY = "noisy"


@dataclass(frozen=True)
class Size:
    """`pause_ms`: between an answer and the quiet one's next question."""

    shoppers: int
    connections: int
    pause_ms: float
    seconds: float
    noisy_connections: int
    events_per_second: int


def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where the gateway does not start or an answer is wrong."""
    facts = machine()
    with guarded_directory("millstream-bench-") as home:
        settings = load(
            GatewaySettings,
            **Deployment(kafka, redis, home).settings.model_dump(),
            gateway_api_keys=home / "api-keys.json",
            pseudonym_keys_dir=home / "pseudonym-keys",
            gateway_events_per_second=size.events_per_second,
            gateway_tenant_events_per_second=size.events_per_second,
            gateway_redis_seconds=5.0,  # a busy machine is not a Redis that is away
        )
        quiet = _key(settings, TENANT, Scope.LISTS_READ)
        noisy = _key(settings, NOISY, Scope.EVENTS_WRITE)
        users = [f"user-{number}" for number in range(size.shoppers)]
        asyncio.run(prepare(settings, users))
        with HttpProcess(["millstream", "gateway"], variables_of(settings), "/readyz") as gateway:
            asking = _asking(gateway.port, users, quiet, size)
            alone = told_of(asking)
            console.print(f"{alone.p99_ms:,.1f} ms alone; beside a flood …")
            flood = Flood(LOOPBACK, gateway.port, noisy, size.noisy_connections)
            with pouring(flood) as poured:
                beside = told_of(asking)
    return {
        **_figures(alone, beside, poured),
        **asdict(size),
        "broker": kafka.name,
        "redis": redis.name,
        **facts,
    }


def _key(settings: GatewaySettings, tenant: str, scope: Scope) -> str:
    rotate(settings.pseudonym_keys_dir, tenant)
    return create(settings.gateway_api_keys, tenant, (scope,), "the bench's", wall_clock)[1]


def _asking(port: int, users: list[str], token: str, size: Size) -> Load:
    return Load(
        LOOPBACK,
        port,
        [f"{PATH.decode()}{user}" for user in users],
        token,
        size.connections,
        WARM_UP_S,
        size.seconds,
        size.pause_ms / 1000,
    )


def _figures(alone: Told, beside: Told, poured: Poured) -> dict[str, Any]:
    return {
        "quiet_p50_ms": alone.p50_ms,
        "quiet_p99_ms": alone.p99_ms,
        "beside_noisy_p50_ms": beside.p50_ms,
        "beside_noisy_p99_ms": beside.p99_ms,
        "ratio": round(beside.p99_ms / alone.p99_ms, 3),
        "quiet_requests_per_s": beside.requests_per_s,
        "noisy_events_per_s": round(poured.accepted / poured.seconds, 1),
        "noisy_events": poured.accepted,
        "noisy_refused": poured.refused,
        "noisy_unavailable": poured.away,
        "noisy_seconds": round(poured.seconds, 3),
    }


@contextmanager
def pouring(flood: Flood) -> Iterator[Poured]:
    """It floods inside; what is yielded holds once it is over. Raises OperatorError where an answer
    was none of those that a flood may get."""
    command = [sys.executable, "-m", "benchmarks.http_flood"]
    environment = {**os.environ, "PYTHONPATH": MODULES}
    poured = Poured()
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    ) as process:
        stdin = cast(IO[bytes], process.stdin)
        stdin.write(msgspec.json.encode(flood) + b"\n")
        stdin.flush()
        yield poured
        told, _ = process.communicate()
    if process.returncode:
        raise OperatorError("the flood", "its end", "202, 503, or 429 with Retry-After")
    ended = msgspec.json.decode(told, type=Poured)
    for name in Poured.__struct_fields__:
        setattr(poured, name, getattr(ended, name))


def main(size: Size, console: Console) -> dict[str, Any]:
    with brokers.kafka() as kafka, brokers.redis() as redis:
        return bench(kafka, redis, size, console)
