"""The functions on a redis-server of the distribution (Debian 12 ships 7.0, the oldest that is
promised), not only on Valkey."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest
from redis import Redis
from tests.contract.cluster_load import exact_while_every_slot_moves, run_exact
from tests.needed import not_here
from tests.redis_cluster import client_of, cluster_of

from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.stores.keys import Keys
from millstream.stores.redis import connect, load_functions, require_noeviction

pytestmark = pytest.mark.live
SCHEDULES = 20
OLDEST = (7, 0)


class RedisServer(Valkey):
    name = "redis-server"

    def command(self) -> list[str]:
        return ["redis-server", *super().command()[1:]]


def require_promised(server: RedisServer) -> None:
    """Where all must run, that is the oldest: a newer one would not show that it does."""
    with Redis.from_url(server.url) as client:
        told = client.info("server")
    assert "valkey_version" not in told, "this is no Redis"
    version = told["redis_version"]
    print(f"redis-server {version}")  # noqa: T201
    series = tuple(map(int, version.split(".")[:2]))
    assert series >= OLDEST, f"redis-server {version} is older than what is promised"
    if os.environ.get("MILLSTREAM_REQUIRE_LIVE") == "1":
        assert series == OLDEST, f"MILLSTREAM_REQUIRE_LIVE=1 wants Debian 12's 7.0, not {version}"


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        not_here("no redis-server on PATH")
    with RedisServer() as server:
        require_promised(server)
        yield server


async def test_schedules_of_faults_end_in_the_exact_counts_on_redis_too(
    redis_server: RedisServer, prefix: str
) -> None:
    client = connect(redis_server.url)
    try:
        await require_noeviction(client)
        await load_functions(client)
        for seed in range(SCHEDULES):
            schedule = Schedule(client, Keys(f"{prefix}{seed}."), seed)
            await schedule.run()
            assert not await schedule.problems(), f"seed {seed}"
            await schedule.forget()
    finally:
        await client.aclose()


async def test_they_do_on_three_masters_of_it_and_while_its_slots_move(
    redis_server: RedisServer, prefix: str
) -> None:
    with cluster_of(type(redis_server)) as cluster:
        client = await client_of(cluster)
        try:
            await require_noeviction(client)
            await load_functions(client)
            for seed in range(SCHEDULES):
                await run_exact(Schedule(client, Keys(f"{prefix}{seed}."), seed))
            await exact_while_every_slot_moves(client, cluster, prefix)
        finally:
            await client.aclose()
