"""The doctor on a deployment that is well, then on one broken in one place at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from millstream.diagnosis import diagnose
from millstream.diagnosis.check import Check, Verdict
from millstream.domain.clock import wall_clock
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.signing import PUBLIC_NAME
from millstream.ranking.rankings import Rankings
from millstream.ranking.settings import RankingSettings
from millstream.settings import ConnectionSettings, load
from millstream.setup import set_up
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connect
from millstream.stores.reset import WIPING
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

NAMES = [
    *("broker", "topics", "settings of the events log", "keys of events", "clock of the log"),
    "rights",
    *("redis", "eviction policy", "persistence", "functions", "slots", "clock of redis"),
    *("signing key", "current model", "ranking settings"),
]
MODEL = ("default", "embedding")


@pytest.fixture(scope="module")
def durable() -> Iterator[Valkey]:
    with Valkey(durable=True) as store:
        yield store


@pytest.fixture
async def well(tansu: Tansu, durable: Valkey, prefix: str, tmp_path: Path) -> ConnectionSettings:
    """Set up, without a model and without records."""
    settings = load(
        ConnectionSettings,
        kafka_bootstrap_servers=tansu.bootstrap_servers,
        kafka_idempotence=False,
        redis_url=durable.url,
        model_store=tmp_path / "models",
        keys_dir=tmp_path / "keys",
        topic_prefix=prefix,
        redis_prefix=prefix,
    )
    await set_up(settings, slots=4, replay=False, partitions=3)
    return settings


async def examine(settings: ConnectionSettings, clock_ahead_ms: int = 0) -> dict[str, Check]:
    checks = await diagnose(
        settings, lambda: wall_clock() + clock_ahead_ms, model=MODEL, partitions=3
    )
    assert [check.name for check in checks] == NAMES
    assert all(check.remedy for check in checks if check.verdict is not Verdict.OK), checks
    return {check.name: check for check in checks}


def not_ok(checks: dict[str, Check]) -> dict[str, Verdict]:
    return {name: c.verdict for name, c in checks.items() if c.verdict is not Verdict.OK}


async def send(settings: ConnectionSettings, partition: int | None) -> None:
    producer = producer_for(settings, "test")
    await producer.start()
    try:
        for n in range(30):
            key = f"default:{n}".encode()
            await producer.send_and_wait(settings.topic(EVENTS), b"{}", key, partition=partition)
    finally:
        await producer.stop()


async def test_what_init_made_is_well_but_for_a_model(well: ConnectionSettings) -> None:
    await send(well, None)
    checks = await examine(well)
    assert not_ok(checks) == {"current model": Verdict.WARNING}
    assert checks["keys of events"].found == "30 records where murmur2 puts them"
    assert checks["slots"].found == "4 slots, epoch 0"


async def test_a_producer_that_puts_all_on_one_partition_is_found(well: ConnectionSettings) -> None:
    await send(well, 0)
    assert not_ok(await examine(well))["keys of events"] is Verdict.BAD


async def test_our_clock_an_hour_ahead_of_redis_is_bad(well: ConnectionSettings) -> None:
    found = await examine(well, 3_600_000)
    assert found["clock of redis"].verdict is Verdict.BAD
    assert found["clock of redis"].found.endswith("s behind")


async def test_topics_that_are_missing_and_slots_that_were_never_set(
    well: ConnectionSettings,
) -> None:
    elsewhere = well.model_copy(update={"topic_prefix": "none.", "redis_prefix": "none:"})
    bad = not_ok(await examine(elsewhere))
    assert bad["topics"] is bad["keys of events"] is bad["slots"] is Verdict.BAD
    assert "redis" not in bad
    assert "functions" not in bad


async def test_a_model_that_cannot_be_loaded_is_bad(well: ConnectionSettings) -> None:
    redis = connect(well.redis_url)
    try:
        pointer = RedisModelPointer(redis, Keys(well.redis_prefix))
        assert await pointer.promote(*MODEL, 1, "0" * 64, None)
    finally:
        await redis.aclose()
    assert not_ok(await examine(well)) == {"current model": Verdict.BAD}


async def test_a_missing_key_and_servers_that_are_away(
    well: ConnectionSettings, tmp_path: Path
) -> None:
    (tmp_path / "keys" / PUBLIC_NAME).unlink()
    assert not_ok(await examine(well)) == dict.fromkeys(
        ("signing key", "current model"), Verdict.BAD
    )
    with Valkey() as store, Tansu() as broker:
        update = {"redis_url": store.url, "kafka_bootstrap_servers": broker.bootstrap_servers}
    away = well.model_copy(update=update)
    elsewhere = set(NAMES) - {"ranking settings"}
    assert not_ok(await examine(away)) == dict.fromkeys(elsewhere, Verdict.BAD)


async def test_ranking_settings_are_told_by_digest_and_a_wrong_file_by_its_name(
    well: ConnectionSettings, tmp_path: Path
) -> None:
    folder = tmp_path / "rankings"
    folder.mkdir()
    (folder / "tea.json").write_text('{"looked_at": 0}')
    with_folder = well.model_copy(update={"ranking_dir": folder})
    shared, own = Rankings().shared, RankingSettings(looked_at=0)
    told = (await examine(with_folder))["ranking settings"]
    assert told.found == f"digest {shared.digest()}, of tea {own.digest()}"
    (folder / "tea.json").write_text('{"looked_at": -1}')
    told = (await examine(with_folder))["ranking settings"]
    assert told.verdict is Verdict.BAD
    assert "tea.json" in told.found


async def test_a_redis_that_writes_nothing_down_is_a_warning(well: ConnectionSettings) -> None:
    with Valkey() as store:
        elsewhere = well.model_copy(update={"redis_url": store.url})
        await set_up(elsewhere, slots=4, replay=False, partitions=3)
        checks = await examine(elsewhere)
    assert checks["persistence"].verdict is Verdict.WARNING
    assert "last snapshot" in checks["persistence"].found


async def test_a_wipe_that_was_cut_short_and_an_epoch_of_some_slots_are_bad(
    well: ConnectionSettings,
) -> None:
    redis, keys = connect(well.redis_url), Keys(well.redis_prefix)
    try:
        await redis.hset(keys.layout(), WIPING, "1")
        assert "rebuild --resume" in (await examine(well))["slots"].found
        await redis.hdel(keys.layout(), WIPING)
        await redis.hset(keys.fences(2), "epoch", "1")
        assert "bump-epoch" in (await examine(well))["slots"].found
    finally:
        await redis.aclose()


async def test_functions_of_another_release_and_a_server_that_evicts(
    well: ConnectionSettings,
) -> None:
    with Valkey(config={"maxmemory-policy": "allkeys-lru"}) as store:
        redis = connect(store.url)
        await redis.function_load(
            "#!lua name=millstream\nredis.register_function('recs_apply_v1', function() end)"
        )
        await redis.aclose()
        checks = await examine(well.model_copy(update={"redis_url": store.url}))
    assert checks["functions"].found == "another version than this release's"
    bad = not_ok(checks)
    assert bad["functions"] is bad["eviction policy"] is bad["slots"] is Verdict.BAD


def test_the_command_ends_with_one_object_and_the_exit_code() -> None:
    run = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import typer; from millstream.cli.doctor import doctor; typer.run(doctor)",
            "--json",
        ],
        env={
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "REDIS_URL": "redis://127.0.0.1:1/0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["ok"] == 0
    assert [check["name"] for check in told["checks"]] == NAMES
