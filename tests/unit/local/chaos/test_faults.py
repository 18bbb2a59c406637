"""A harness that fails says so with the fault's name, and a fault that ends by itself ends."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import pytest

from millstream.domain.errors import OperatorError
from millstream.local.chaos import episode
from millstream.local.chaos.deck import Deck
from millstream.local.chaos.episode import play
from millstream.local.chaos.faults.redis import RedisPaused
from millstream.local.chaos.orders import Orders
from millstream.local.chaos.plan import Plan, Servers, Told
from millstream.local.chaos.report import Report
from millstream.local.chaos.run import chaos
from millstream.local.chaos.scene import Scene
from millstream.local.chaos.view import View
from millstream.local.chaos.wire import Wire, wired
from millstream.local.valkey import Valkey

PLAN = Plan("bare", 0, 7_001, 1.0, 1.0, Deck((), random.Random(1)), None, "")
SERVERS = cast("Servers", None)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with Valkey() as server:
        yield int(server.url.rpartition(":")[2].removesuffix("/0"))


@pytest.mark.parametrize("seed", range(4))
async def test_a_pause_of_all_commands_is_over_when_it_is_healed(port: int, seed: int) -> None:
    @asynccontextmanager
    async def redis() -> AsyncIterator[Wire]:
        async with wired(port) as wire:
            yield wire

    settings = SimpleNamespace(redis_prefix="ms:")
    scene = cast(
        "Scene",
        SimpleNamespace(redis=redis, rng=random.Random(seed), settings=settings),
    )
    fault = RedisPaused()
    began = time.monotonic()
    await fault.inject(scene)
    await fault.heal(scene)
    assert time.monotonic() - began >= 0.9
    async with redis() as wire:
        assert await wire.call("SET", "ms:a", "1", timeout_s=0.5) == b"OK"


@pytest.mark.parametrize(
    "error",
    [TimeoutError(), OSError("gone"), ExceptionGroup("beside", [OSError("gone")])],
)
async def test_a_failure_of_the_harness_names_the_fault(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def fails(_plan: Plan, _servers: Servers, told: Told) -> Report:
        told("redis-client-pause")
        raise error

    monkeypatch.setattr(episode, "_played", fails)
    told: list[str] = []
    with pytest.raises(OperatorError, match=r"episode 7001 \(bare\) at 'redis-client-pause'"):
        await play(PLAN, SERVERS, told.append)
    assert told == ["redis-client-pause"]


async def test_a_kind_that_is_not_played_is_refused() -> None:
    orders = Orders(1, 1.0, tiers=("bare",), only=("worker-killed", "worker-added"))
    with pytest.raises(OperatorError, match="worker-added; expected kinds of the tiers bare"):
        await chaos(orders, cast("View", None))
