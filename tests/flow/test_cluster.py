"""The whole system with a Redis Cluster under it: set up, counted, derived, answered."""

from __future__ import annotations

from contextlib import aclosing
from datetime import date

import pytest
from rich.console import Console
from tests.redis_cluster import Cluster, client_of

from millstream.diagnosis.check import Verdict
from millstream.diagnosis.store import store_checks
from millstream.domain.clock import wall_clock
from millstream.local.brokers import REDIS_VARIABLE
from millstream.local.demo import play
from millstream.local.recordings import online_retail
from millstream.stores.cluster import masters
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, fix_slots, load_functions

pytestmark = pytest.mark.timeout(150)

FIRST_DAYS = date(2010, 12, 4)


async def test_the_demo_is_counted_once_and_answered_on_a_cluster(
    redis_cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REDIS_VARIABLE, redis_cluster.url)
    recording = online_retail(FIRST_DAYS)
    before = redis_cluster.stat("commandstats")

    summary = await play(recording, Console(quiet=True), models=0)

    assert summary.accepted == recording.events
    assert (summary.lost, summary.doubled) == (0, 0)
    assert (summary.lost_lines, summary.doubled_lines) == (0, 0)
    assert summary.shoppers_left_behind == 0
    assert 0 < summary.lists <= recording.events
    after = redis_cluster.stat("commandstats")
    made = {name for name, calls in after.items() if calls > before.get(name, 0)}
    assert "fcall" in made
    assert not [name for name in made if name.startswith("command")], "a node was asked for keys"
    async with aclosing(await client_of(redis_cluster)) as client:
        for kind in ("u:", "i:", "it:", "n:", "p:"):  # what is counted, summed up and derived
            found = [key async for key in client.scan_iter(f"*{kind}*", count=1_000)]
            assert found, f"no key {kind}"
        assert all([await master.dbsize() > 0 for master in masters(client)])


async def test_doctor_looks_at_every_master(redis_cluster: Cluster, prefix: str) -> None:
    keys = Keys(prefix)
    async with aclosing(await client_of(redis_cluster)) as client:
        await load_functions(client)
        await fix_slots(client, keys, DEFAULT_SLOTS)
        well = {check.name: check for check in await store_checks(client, keys, wall_clock)}
        doubted = {name: c.verdict for name, c in well.items() if c.verdict is not Verdict.OK}
        assert doubted == {"persistence": Verdict.WARNING}, "these masters write nothing down"
        assert well["redis"].found.endswith("cluster of 3 masters")

        last = masters(client)[-1]
        await last.function_flush()
        await last.config_set("maxmemory-policy", "allkeys-lru")
        try:
            ill = {check.name: check for check in await store_checks(client, keys, wall_clock)}
        finally:
            await last.config_set("maxmemory-policy", "noeviction")
            await load_functions(client)
        bad = {name for name, check in ill.items() if check.verdict is Verdict.BAD}
        assert bad == {"functions", "eviction policy"}
        assert ill["functions"].found == "not loaded on 1 of 3 masters"
