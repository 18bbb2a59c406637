"""A version's life in a real Redis and on a real disk: one winner, no half version after a crash,
and a way back that every worker takes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from tests.commands import ran
from tests.flow.dying_trainer import Left
from tests.flow.swapping import MODEL, TENANT, SwappingTrainer, flip

from millstream.domain.models import Decision
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.registry import Registry
from millstream.model.signing import create_keys, load_private_key, load_public_key
from millstream.ranking.settings import RankingSettings
from millstream.recommender.following import take_announcement
from millstream.recommender.hot_swap import HotSwap
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.streaming.followers import follow
from millstream.streaming.topics import MODELS
from millstream.trainer.collect import Window
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fitted, Watch
from millstream.trainer.outlet import Outlet
from millstream.trainer.pipeline import train_version
from millstream.trainer.settings import TrainerSettings, Training
from millstream.trainer.tools import Tools
from millstream.trainer.whole_list import RankedLists

DAY_MS = 86_400_000
START_MS = 1_767_268_800_000
ROLLBACK_S = 2.0


@pytest.fixture
async def redis(valkey: Valkey) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey.url)
    yield client
    await client.aclose()


# ------------------------------------------------------------------------------ two trainers


class Meeting(RedisModelPointer):
    """Both trainers have read the pointer before either goes on."""

    def __init__(self, redis: Redis, keys: Keys, barrier: asyncio.Barrier) -> None:
        super().__init__(redis, keys)
        self._barrier: asyncio.Barrier | None = barrier

    async def read(self, tenant: str, model: str) -> tuple[int, str] | None:
        found = await super().read(tenant, model)
        barrier, self._barrier = self._barrier, None
        if barrier is not None:
            await barrier.wait()
        return found


class Unheard:
    async def send_and_wait(self, _topic: str, _value: bytes, _key: bytes) -> object:
        return None


def two_tastes(days: int) -> pl.DataFrame:
    rng = np.random.default_rng(5)
    rows = [
        (
            f"s{n}",
            f"d{day}-s{n}",
            "purchase",
            f"{('tea', 'tool')[n % 2]}-{thing}",
            START_MS + day * DAY_MS + n * 60_000,
        )
        for day in range(days)
        for n in range(40)
        for thing in rng.choice(20, size=2, replace=False)
    ]
    frame = pl.DataFrame(rows, ["user", "event_id", "type", "item", "time_ms"], orient="row")
    price, country = pl.lit(None, dtype=pl.Float64), pl.lit(None, dtype=pl.String)
    return frame.with_columns(price=price, log_ms=pl.col("time_ms") + 5, country=country)


def factorise(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
    table = np.zeros((len(data.users), len(data.items)))
    table[data.user_rows, data.item_rows] = data.weights
    left, values, right = np.linalg.svd(table, full_matrices=False)
    scale = np.sqrt(values[: rule.dimensions])
    users, items = left[:, : len(scale)] * scale, right[: len(scale)].T * scale
    return Fitted(users.astype(np.float32), items.astype(np.float32), 1.0, 0.0, (0.0,))


async def test_of_two_trainers_at_once_one_wins(
    tmp_path: Path, redis: Redis, valkey: Valkey, prefix: str
) -> None:
    """Each in threads of its own, on one store and one Redis, from the same current version."""
    create_keys(tmp_path / "keys")
    other, barrier = Redis.from_url(valkey.url), asyncio.Barrier(2)
    trainers = [
        Tools(
            settings=TrainerSettings(dimensions=8, recent_items=4),
            fit=factorise,
            whole_lists=RankedLists(TENANT, RankingSettings(), dict),
            hidden=frozenset,
            outlet=Outlet(
                name=(TENANT, MODEL),
                registry=Registry(tmp_path / "models"),
                key=load_private_key(tmp_path / "keys"),
                pointer=Meeting(client, Keys(prefix), barrier),
                producer=Unheard(),
                topic="models",
                keep=5,
            ),
            clock=lambda: START_MS + 40 * DAY_MS,
            stop=lambda: False,
        )
        for client in (redis, other)
    ]
    window = Window(two_tastes(30), {0: 1200})
    said = await asyncio.gather(*(train_version(window, tools) for tools in trainers))
    assert sorted(one.decision or "" for one in said) == [Decision.HELD, Decision.PROMOTED]
    (winner,) = (one for one in said if one.promoted)
    (loser,) = (one for one in said if not one.promoted)
    assert "another trainer moved" in loser.verdict
    pointer = RedisModelPointer(redis, Keys(prefix))
    assert await pointer.read(TENANT, MODEL) == (winner.version, winner.manifest_sha256)
    assert {one.version for one in said} == {1, 2}
    await other.aclose()

    late = replace(trainers[0], outlet=replace(trainers[0].outlet, pointer=pointer))
    after = await train_version(Window(two_tastes(32), {0: 1280}), late)
    assert after.version == 3, "the numbers of both are taken"


# ----------------------------------------------------------------------------------- crashes


async def test_a_crash_at_any_point_leaves_no_half_version(
    tmp_path: Path, valkey: Valkey, prefix: str
) -> None:
    create_keys(tmp_path / "keys")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.flow.dying_trainer"),
        *(str(tmp_path / "models"), str(tmp_path / "keys"), valkey.url, prefix),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    out, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0
    told = [msgspec.json.decode(line, type=Left) for line in out.splitlines()]
    # 8 files and the pointer, before and after each; before and after the rename, after the
    # directory's sync; before and after each removal of an old version.
    assert len(told) > 2 * 8 + 2 + 3
    assert [left.died for left in told] == [True] * (len(told) - 1) + [False]
    for left in told:
        assert left.bad == [], f"death {left.n} left a version that does not load"
        assert left.current in {None, *left.good}, f"death {left.n} left a pointer to nothing"
    assert told[-1].current == told[-1].good[-1]
    assert any(left.partial for left in told), "no death was met in the middle of writing"
    home = tmp_path / "models" / TENANT / MODEL
    assert {path.name[0] for path in home.iterdir()} == {"v"}, "something half written is left"


# ---------------------------------------------------------------------------------- rollback


@pytest.fixture
async def deployment(
    tmp_path: Path, tansu: Tansu, valkey: Valkey, prefix: str
) -> ConnectionSettings:
    create_keys(tmp_path / "keys")
    admin = AIOKafkaAdminClient(bootstrap_servers=tansu.bootstrap_servers)
    await admin.start()
    topic = NewTopic(f"{prefix}{MODELS}", num_partitions=1, replication_factor=1)
    await admin.create_topics([topic])
    await admin.close()
    return ConnectionSettings(
        kafka_bootstrap_servers=tansu.bootstrap_servers,
        kafka_idempotence=False,
        redis_url=valkey.url,
        model_store=tmp_path / "models",
        keys_dir=tmp_path / "keys",
        topic_prefix=prefix,
        redis_prefix=prefix,
    )


@pytest.fixture
async def trainer(
    deployment: ConnectionSettings, redis: Redis, tansu: Tansu
) -> AsyncIterator[SwappingTrainer]:
    producer = AIOKafkaProducer(bootstrap_servers=tansu.bootstrap_servers)
    await producer.start()
    yield SwappingTrainer(deployment, redis, producer)
    await producer.stop()


@pytest.fixture
async def workers(deployment: ConnectionSettings, redis: Redis) -> AsyncIterator[list[HotSwap]]:
    """Three, each with a follower of its own, that look for a missed announcement once an hour."""
    key = load_public_key(deployment.keys_dir)
    pointer = RedisModelPointer(redis, Keys(deployment.redis_prefix))
    found = [HotSwap(MODEL, Registry(deployment.model_store), pointer, key) for _ in range(3)]
    async with AsyncExitStack() as stack:
        for worker in found:
            follower = follow(
                deployment.kafka_bootstrap_servers,
                deployment.topic(MODELS),
                partial(take_announcement, model=MODEL, models=worker, began_ms=0),
            )
            await follower.start()
            stack.push_async_callback(follower.close)
            running = asyncio.create_task(worker.run(look_again_s=3600))
            stack.callback(running.cancel)
        yield found


async def all_serve(workers: list[HotSwap], version: int, within_s: float) -> float:
    """The seconds until every worker serves it."""
    began = time.monotonic()
    while {worker.serving(TENANT).version for worker in workers} != {f"{MODEL}-v{version}"}:
        assert time.monotonic() - began < within_s, (
            f"v{version} is not in service after {within_s} s: "
            f"{[worker.serving(TENANT).version for worker in workers]}"
        )
        await asyncio.sleep(0.005)
    return time.monotonic() - began


async def models(settings: ConnectionSettings, *command: str) -> tuple[int, str]:
    """The exit code of `millstream models ...`, and all that it printed."""
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "REDIS_URL": settings.redis_url,
        "MODEL_STORE": str(settings.model_store),
        "MILLSTREAM_KAFKA_IDEMPOTENCE": "0",
        "MILLSTREAM_KEYS_DIR": str(settings.keys_dir),
        "MILLSTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "MILLSTREAM_REDIS_PREFIX": settings.redis_prefix,
    }
    done = await asyncio.wait_for(ran("models", *command, **variables), 30)
    return done.code, done.out + done.err


async def test_a_rollback_reaches_every_worker_within_two_seconds(
    deployment: ConnectionSettings, trainer: SwappingTrainer, workers: list[HotSwap]
) -> None:
    for version in (1, 2, 3):
        assert await trainer.swap() == version
        await all_serve(workers, version, 10)
    moved = asyncio.Event()

    async def watched() -> float:
        """From the moment that the pointer has moved, before anyone is told."""
        while await trainer.pointer.read(TENANT, MODEL) != (  # noqa: ASYNC110  Redis tells nobody
            2,
            trainer.announced[1].manifest_sha256,
        ):
            await asyncio.sleep(0.005)
        moved.set()
        return await all_serve(workers, 2, ROLLBACK_S)

    async with asyncio.timeout(40):
        seconds, (code, said) = await asyncio.gather(watched(), models(deployment, "rollback"))
    assert moved.is_set()
    assert code == 0
    assert "v2 of default/embedding is current: rolled back from v3 by an operator" in said
    assert seconds < ROLLBACK_S

    # Once more goes further back, not to the bad one; then there is nothing older.
    assert (await models(deployment, "rollback"))[0] == 0
    await all_serve(workers, 1, ROLLBACK_S)
    code, said = await models(deployment, "rollback")
    assert (code, "one that served before" in said) == (2, True)
    # The next trained version takes over as ever.
    assert await trainer.swap() == 4
    await all_serve(workers, 4, 10)


async def test_a_rollback_passes_over_a_version_that_is_spoilt(
    deployment: ConnectionSettings, trainer: SwappingTrainer, workers: list[HotSwap]
) -> None:
    for version in (1, 2, 3):
        await trainer.swap()
        await all_serve(workers, version, 10)
    flip(trainer.registry.directory(TENANT, MODEL, 2))
    code, said = await models(deployment, "rollback", "--to", "2")
    assert (code, "v2:" in said) == (2, True)
    assert (await models(deployment, "rollback"))[0] == 0
    await all_serve(workers, 1, ROLLBACK_S)


async def test_an_operator_promotes_any_version_that_verifies(
    deployment: ConnectionSettings, trainer: SwappingTrainer, workers: list[HotSwap]
) -> None:
    for _ in range(3):
        await trainer.swap()
    assert (await models(deployment, "promote", "1"))[0] == 0
    await all_serve(workers, 1, ROLLBACK_S)
    assert (await models(deployment, "rollback"))[0] == 0
    await all_serve(workers, 3, ROLLBACK_S)
    flip(trainer.registry.directory(TENANT, MODEL, 2))
    code, said = await models(deployment, "promote", "2")
    assert (code, "version 2 of default/embedding: got" in said) == (2, True)
    assert {worker.serving(TENANT).version for worker in workers} == {f"{MODEL}-v3"}


async def test_two_versions_side_by_side(
    deployment: ConnectionSettings, trainer: SwappingTrainer
) -> None:
    for _ in range(2):
        await trainer.swap()
    code, said = await models(deployment, "diff", "1", "2", "--json")
    assert code == 0
    found: dict[str, Any] = msgspec.json.decode(said.splitlines()[-1])
    # swapping.py: twenty shared items and forty of each version's own.
    assert found["items"] == {"kept": 20, "joined": 40, "left": 40}
    assert found["users"] == {"kept": 1, "joined": 0, "left": 0}
    assert "lines" not in found["values"], "what is alike is left out"
