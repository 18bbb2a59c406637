"""`millstream fences` on Apache Kafka: what it shows, where it lets counting begin, and a new
epoch that was cut short."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.commands import ran
from tests.live.test_halts import Shop, shop_on, until

from millstream.domain.clock import as_datetime, wall_clock
from millstream.local.kafka import ApacheKafka
from millstream.local.valkey import Valkey
from millstream.stores.epoch import bump_epoch, epochs
from millstream.stores.redis import DEFAULT_SLOTS

pytestmark = pytest.mark.live

PATIENCE_S = 40.0


@pytest.fixture
async def shop(apache_kafka: ApacheKafka, valkey: Valkey) -> AsyncIterator[Shop]:
    async with shop_on(apache_kafka, valkey) as made:
        yield made


async def fences(shop: Shop, *words: str, code: int = 0) -> Any:
    """What the command told: its JSON, or where it refused its words."""
    done = await asyncio.wait_for(ran("fences", *words, **shop.deployment._variables), PATIENCE_S)
    assert done.code == code, done.err
    return json.loads(done.out) if code == 0 else done.err


async def show(shop: Shop) -> list[dict[str, Any]]:
    found = await fences(shop, "show", "--json")
    return list(found["partitions"])


async def test_what_is_shown_adds_up(shop: Shop) -> None:
    await shop.send(80, "a")
    await shop.start()
    await shop.counted(80)

    async def at_rest() -> bool:
        return all(at["lag"] == 0 for at in await show(shop))

    await until(at_rest, PATIENCE_S, "every slot at the end")
    found = await show(shop)
    assert [at["partition"] for at in found] == list(range(12))
    for at in found:
        end = shop.ends.get(at["partition"], 0)
        assert (at["lowest"], at["highest"], at["log_start"], at["log_end"]) == (end, end, 0, end)
        assert (at["epoch"], at["start"], at["residue"]) == ("0", 0, 0)
        assert at["ledger"]["acc"] == end
        assert at["watermark"] in (None, end)
    assert sum(at["ledger"]["acc"] for at in found) == 80


async def test_where_counting_begins(shop: Shop) -> None:
    """What was in the log before is left out, and told apart from what is lost."""
    await shop.send(40, "old")
    old = dict(shop.ends)
    begun = await fences(shop, "init", "--at", "latest", "--json")
    assert {int(n): at for n, at in begun["begins"].items() if at} == old
    assert await fences(shop, "init", "--at", "latest", "--json") == begun, "may be repeated"
    await shop.send(24, "new")
    await shop.start()
    await shop.counted(24)
    for at in await show(shop):
        assert at["start"] == old.get(at["partition"], 0)
        assert at["residue"] in (0, None)
    told = await fences(shop, "init", "--at", "earliest", code=2)
    assert "a fence at" in told
    assert "bump-epoch" in told


async def test_a_time_to_begin_at(shop: Shop) -> None:
    await shop.send(16, "old")
    old = dict(shop.ends)
    moment_ms = wall_clock() + 2

    async def passed() -> bool:
        return wall_clock() > moment_ms

    await until(passed, PATIENCE_S, "the moment")
    moment = as_datetime(moment_ms)
    await shop.send(16, "new")
    begun = await fences(shop, "init", "--at", moment.isoformat(), "--json")
    assert {int(n): at for n, at in begun["begins"].items() if int(n) in old} == old
    told = await fences(shop, "init", "--at", "yesterday", code=2)
    assert "--at" in told
    told = await fences(shop, "init", "--at", "2026-01-01T00:00:00", code=2)
    assert "offset from UTC" in told
    told = await fences(shop, "init", "--at", "latest", "--partition", "12", code=2)
    assert "--partition" in told


async def test_a_bump_that_was_cut_short_is_completed(shop: Shop) -> None:
    assert set(await epochs(shop.redis, shop.keys, DEFAULT_SLOTS)) == {"0"}
    await bump_epoch(shop.redis, shop.keys, 5)  # and it dies after the fifth slot
    assert (await show(shop))[0]["epoch"] == "0, 1"
    await shop.start()
    assert await shop.halted() == "slots-behind.md"
    await fences(shop, "bump-epoch", code=1)  # nobody said yes
    assert (await show(shop))[0]["epoch"] == "0, 1"
    for epoch in ("1", "2"):  # completed, and then the next one
        assert await fences(shop, "bump-epoch", "--yes", "--json") == {"epoch": epoch}
        assert set(await epochs(shop.redis, shop.keys, DEFAULT_SLOTS)) == {epoch}


async def test_a_bump_under_a_worker_that_has_nothing_to_do(shop: Shop) -> None:
    await shop.send(16, "a")
    await shop.start()
    await shop.counted(16)
    await bump_epoch(shop.redis, shop.keys, DEFAULT_SLOTS)
    process = shop.recommender
    assert process is not None

    async def gone() -> bool:
        return not process.alive

    await until(gone, 10.0, "the worker of the old epoch ends")
    assert "start the worker again" in process.log_path.read_text()
    await asyncio.to_thread(process.close)
    shop.deployment._services.remove(process)
