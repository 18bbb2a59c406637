"""`millstream bench gateway`: what the HTTP door costs, beside the least that a server must do.

A list of 10 for a known shopper, from the gateway as it runs in production (its own process: key,
scope, limit, pseudonym, time limit, metrics, memory of the last list) and from a raw ASGI handler
on the same uvicorn that makes the same read of Redis and renders the same stored form
(bare_gateway.py). Both stand at once; a third process asks them in turns (http_load.py).

`ratio` is the median of the rounds, each of which asks one right after the other;
`cpu_ratio` compares the servers' CPU time a request, which others on the machine do not change."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec
from benchmarks.bare_gateway import TENANT as BARE
from benchmarks.http_load import Load, Told
from benchmarks.machine import machine
from benchmarks.processes import cpu_seconds
from rich.console import Console

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source
from millstream.gateway.api_keys import Scope, create
from millstream.gateway.hot_lists import PATH
from millstream.gateway.settings import GatewaySettings
from millstream.local import brokers
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess
from millstream.local.guard import guarded_directory
from millstream.local.ports import LOOPBACK, free_port
from millstream.privacy.key_files import newest, rotate
from millstream.settings import load, variable
from millstream.setup import set_up
from millstream.stores.affinities import AffinityStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.stores.served_lists import ServedLists
from millstream.streaming.topics import EVENTS

TENANT = "shop"
ROOT = Path(__file__).parents[1]
MODULES = f"{ROOT}{os.pathsep}{ROOT / 'services'}"
"""For processes of a bench: this tree's own, whichever is installed."""
ITEMS = 10_000
STORED = 20
LISTED = 10
WARM_UP_S = 1.0
BATCH = 500
"""Lists put in one call."""


@dataclass(frozen=True)
class Size:
    shoppers: int
    connections: int
    seconds: float
    rounds: int


class HttpProcess(ServiceProcess):
    """A server of ours at a port, that answers there."""

    def __init__(self, words: Sequence[str], variables: Mapping[str, str], path: str) -> None:
        super().__init__(words[-1], variables)
        self._words = words
        self.port = free_port()
        self._path = path

    def command(self) -> list[str]:
        return [sys.executable, "-m", *self._words]

    def environment(self) -> dict[str, str]:
        here = {"MILLSTREAM_GATEWAY_PORT": str(self.port), "PYTHONPATH": MODULES}
        return {**super().environment(), **here}

    def answers(self) -> bool:
        try:
            answer = httpx.get(f"http://{LOOPBACK}:{self.port}{self._path}", timeout=5)
        except httpx.TransportError:
            return False
        return answer.status_code == 200


@dataclass(frozen=True)
class Asked:
    told: Told
    cpu_us: float
    """Of the server, a request; the warm-up's requests are in neither."""


def bench(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, console: Console
) -> dict[str, Any]:
    """Raises OperatorError where a server does not start or an answer is wrong."""
    facts = machine()
    with guarded_directory("millstream-bench-") as home, _servers(kafka, redis, size, home) as two:
        token, gateway, bare, users = two
        rounds = []
        for number in range(size.rounds):
            console.print(f"round {number + 1} of {size.rounds} …")
            rounds.append(
                (
                    _ask(gateway, size, users[TENANT], token),
                    _ask(bare, size, users[BARE], token),
                )
            )
        _require_same_lists(rounds[-1])
    return {
        **_figures(rounds),
        "connections": size.connections,
        "shoppers": size.shoppers,
        "rounds": size.rounds,
        "broker": kafka.name,
        "redis": redis.name,
        **facts,
    }


def _figures(rounds: Sequence[tuple[Asked, Asked]]) -> dict[str, float]:
    def middle(side: int, name: str) -> float:
        figures: list[float] = [getattr(one[side].told, name) for one in rounds]
        return round(median(figures), 3)

    ratios = [ours.told.requests_per_s / bare.told.requests_per_s for ours, bare in rounds]
    return {
        "requests_per_s": middle(0, "requests_per_s"),
        "bare_requests_per_s": middle(1, "requests_per_s"),
        "ratio": round(median(ratios), 3),
        "p50_ms": middle(0, "p50_ms"),
        "p99_ms": middle(0, "p99_ms"),
        "bare_p99_ms": middle(1, "p99_ms"),
        "cpu_us_per_request": round(median(ours.cpu_us for ours, _ in rounds), 1),
        "bare_cpu_us_per_request": round(median(bare.cpu_us for _, bare in rounds), 1),
        "cpu_ratio": round(median(bare.cpu_us / ours.cpu_us for ours, bare in rounds), 3),
    }


@contextmanager
def _servers(
    kafka: KafkaEndpoint, redis: RedisEndpoint, size: Size, home: Path
) -> Iterator[tuple[str, HttpProcess, HttpProcess, dict[str, list[str]]]]:
    """The key, gateway and bare server, and by tenant whom to ask about."""
    deployment = Deployment(kafka, redis, home)
    settings = load(
        GatewaySettings,
        **deployment.settings.model_dump(),
        gateway_api_keys=home / "api-keys.json",
        pseudonym_keys_dir=home / "pseudonym-keys",
        gateway_requests_per_second=1_000_000,
        gateway_tenant_requests_per_second=1_000_000,
        gateway_redis_seconds=5.0,  # a busy machine is not a Redis that is away
    )
    rotate(settings.pseudonym_keys_dir, TENANT)
    _, token = create(
        settings.gateway_api_keys, TENANT, (Scope.LISTS_READ,), "the bench's", wall_clock
    )
    users = [f"user-{number}" for number in range(size.shoppers)]
    asyncio.run(prepare(settings, users))
    said = variables_of(settings)
    with (
        HttpProcess(["millstream", "gateway"], said, "/readyz") as gateway,
        HttpProcess(["benchmarks.bare_gateway"], said, f"{PATH.decode()}{users[0]}") as bare,
    ):
        yield token, gateway, bare, {TENANT: users, BARE: users}


def variables_of(settings: GatewaySettings) -> dict[str, str]:
    """What the environment must say for a process to have these settings."""
    return {
        variable(GatewaySettings, name): str(value)
        for name, value in settings.model_dump(mode="json").items()
        if value is not None
    }


async def prepare(settings: GatewaySettings, users: Sequence[str]) -> None:
    """Each shopper's list under the pseudonym for the gateway, and under the id for the bare
    server."""
    await set_up(settings, slots=DEFAULT_SLOTS, replay=True, partitions=None)
    pseudonyms = newest(TENANT, settings.pseudonym_keys_dir)
    redis, keys = connect(settings.redis_url), Keys(settings.redis_prefix)
    served = ServedLists(redis, keys, DEFAULT_SLOTS, ItemNumbers(redis, keys))
    topic = settings.topic(EVENTS)
    for start in range(0, len(users), BATCH):
        part = range(start, min(start + BATCH, len(users)))
        await served.put([_list(TENANT, pseudonyms.shopper(users[n]), n, topic) for n in part])
        await served.put([_list(BARE, users[n], n, topic) for n in part])
    await AffinityStore(redis, keys, DEFAULT_SLOTS, ItemNumbers(redis, keys)).note_tenants(
        [TENANT, BARE]
    )
    await redis.aclose()


def _list(tenant: str, user: str, number: int, topic: str) -> RecommendationList:
    now = as_datetime(wall_clock())
    sources = list(Source)
    return RecommendationList(
        recommendation_id="0",  # not stored
        tenant=tenant,
        user=user,
        variant="default",
        items=tuple(
            RankedItem(f"item-{(number * 7 + place) % ITEMS}", 2 / (place + 1), source, "")
            for place, source in enumerate(sources[n % len(sources)] for n in range(STORED))
        ),
        model_version="embedding-v1",
        settings_digest="0" * 12,
        origin=Origin(topic, number % 12, number),
        event_time=now,
        log_time=now,
        published_at=now,
    )


def _ask(server: HttpProcess, size: Size, users: Sequence[str], token: str) -> Asked:
    asked = Load(
        LOOPBACK,
        server.port,
        [f"{PATH.decode()}{user}" for user in users],
        token,
        size.connections,
        WARM_UP_S,
        size.seconds,
    )
    before = cpu_seconds(server.pid)
    told = told_of(asked)
    share = size.seconds / (size.seconds + WARM_UP_S)
    cpu_us = (cpu_seconds(server.pid) - before) * share / told.requests * 1e6
    return Asked(told, cpu_us)


def told_of(load: Load) -> Told:
    """By a process of its own. Raises OperatorError where an answer is none."""
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.http_load"],
        input=msgspec.json.encode(load),
        env={**os.environ, "PYTHONPATH": MODULES},
        capture_output=True,
        timeout=60 + 2 * load.seconds,
        check=False,
    )
    if ended.returncode:
        raise OperatorError("a server", ended.stderr.decode()[-500:], "an answer of status 200")
    return msgspec.json.decode(ended.stdout, type=Told)


def _require_same_lists(asked: tuple[Asked, Asked]) -> None:
    """Both told LISTED items in the same form, or the comparison is none."""
    ours, bare = (msgspec.json.decode(side.told.last_body) for side in asked)
    if ours.keys() != bare.keys() or not len(ours["items"]) == len(bare["items"]) == LISTED:
        raise OperatorError("the two servers", f"{ours} and {bare}", "answers of the same form")


def main(size: Size, console: Console) -> dict[str, Any]:
    with brokers.kafka() as kafka, brokers.redis() as redis:
        return bench(kafka, redis, size, console)
