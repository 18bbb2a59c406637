"""deploy/redis/users.acl: each service does its work with the rights it has there, and no more."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from tests.builders import event
from tests.documents import ROOT
from tests.flow.recounted import ledger_of
from tests.gateway import caller, key_for, settings_of

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.events import EventType
from millstream.domain.identity import event_digest, record_key, slot_of
from millstream.domain.training import Step, TrainingState
from millstream.gateway.beside import going_on
from millstream.gateway.wiring import running
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment
from millstream.local.guard import guarded_directory
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.setup import set_up
from millstream.stores.attributions import Attributions, Field, Portion
from millstream.stores.epoch import epochs
from millstream.stores.erasures import ErasedState
from millstream.stores.feature_store import SlotCall
from millstream.stores.fences import read_fences
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.ops import BAD_RECORD, event_op, hole_op, record_op
from millstream.stores.outbox import Outbox
from millstream.stores.redis import DEFAULT_SLOTS, connect, read_slots, require_noeviction
from millstream.stores.training_states import Told, TrainingStates
from millstream.stores.verdict_store import ReviewTotals, VerdictStore, review_keys
from millstream.streaming.topics import EVENTS

PASSWORD = "a password of this test"  # noqa: S105
NOBODY_S = "0" * 64
PATIENCE_S = 60.0
NEVER = ("FLUSHALL", "EVAL return 0", "FUNCTION FLUSH", "CONFIG SET save x", "KEYS *", "SHUTDOWN")


def users() -> dict[str, list[str]]:
    """By name, the rules."""
    lines = (ROOT / "deploy" / "redis" / "users.acl").read_text().splitlines()
    rows = [line.split() for line in lines if line.startswith("user ")]
    return {name: rules for _, name, *rules in rows}


@pytest.fixture(scope="module")
def store() -> Iterator[Valkey]:
    with Valkey() as store:
        yield store


@pytest.fixture
async def operator(store: Valkey) -> AsyncIterator[Redis]:
    """As `default`, which is left on here."""
    client = connect(store.url)
    yield client
    await client.aclose()


@pytest.fixture
async def deployment(tansu: Tansu, store: Valkey, operator: Redis) -> AsyncIterator[Deployment]:
    """Set up by the operator, and by its variables the recommender's; the users of the file are
    made, with its prefix."""
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    redis = RedisEndpoint(url_of(store, "recommender"), store.name)
    with guarded_directory("millstream-users-") as home:
        made = Deployment(kafka, redis, home)
        password = hashlib.sha256(PASSWORD.encode()).hexdigest()
        for name, rules in users().items():
            given = [
                rule.replace(NOBODY_S, password).replace("~ms:", f"~{made.settings.redis_prefix}")
                for rule in rules
            ]
            if name != "default":
                await operator.execute_command("ACL", "SETUSER", name, "reset", *given)  # type: ignore[no-untyped-call]
        await operator.execute_command("ACL", "LOG", "RESET")  # type: ignore[no-untyped-call]
        theirs = made.settings.model_copy(update={"redis_url": store.url})
        await set_up(theirs, slots=DEFAULT_SLOTS, replay=True, partitions=4)
        try:
            yield made
        finally:
            await made.stop()


def url_of(store: Valkey, user: str) -> str:
    return store.url.replace("redis://", f"redis://{user}:{PASSWORD.replace(' ', '%20')}@")


async def refused(operator: Redis) -> set[str]:
    """What was denied, and to whom."""
    return {f"{row['username']}: {row['object']}" for row in await operator.acl_log()}


async def test_a_recommender_counts_and_serves_with_its_own_rights(
    deployment: Deployment, store: Valkey, operator: Redis
) -> None:
    worker = await deployment.start("recommender")
    ends: dict[int, int] = {}
    servers = deployment.kafka.bootstrap_servers
    async with AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=False) as producer:
        for number in range(60):
            kind = EventType.ERASE if number == 59 else EventType.PURCHASE
            items = () if kind is EventType.ERASE else ("a", f"i{number % 7}")
            what = event(f"e{number}", f"u{number % 5}", *items, kind=kind, at_ms=wall_clock())
            value, key = msgspec.json.encode(what), record_key("default", what.shopper)
            topic = deployment.settings.topic(EVENTS)
            at = await producer.send_and_wait(topic, value, key)
            ends[at.partition] = at.offset + 1
    keys = Keys(deployment.settings.redis_prefix)

    async def done() -> bool:
        """Counted, and what runs beside has had its turn: totals, popularity, owed letters."""
        derived = [keys.item_totals("default", "a"), keys.popular("default")]
        ledger = await ledger_of(deployment, operator, ends)
        called = await operator.info("commandstats")
        return (
            ledger["acc"] == 60
            and await operator.exists(*derived) == len(derived)
            and called.keys() >= {"cmdstat_smembers", "cmdstat_spop", "cmdstat_incrby"}
        )

    async with asyncio.timeout(PATIENCE_S):
        while not await done():
            assert worker.alive, f"{await refused(operator)}\n{worker.log_tail()}"
            await asyncio.sleep(0.1)
    assert await refused(operator) == set()


async def test_attribution_writes_what_it_counts_and_reads_nothing_else(
    deployment: Deployment, store: Valkey, operator: Redis
) -> None:
    client, keys = connect(url_of(store, "attribution")), Keys(deployment.settings.redis_prefix)
    try:
        counted = Attributions(client, keys)
        ann = ("default", "ann")
        of = ("default", "20260101")
        fields: Counter[Field] = Counter({("lists", "v1", "default"): 1})
        await counted.write(
            Portion(
                0,
                (0, 0),
                (1, 1),
                {ann: b"held"},
                {of: fields},
                {of: Counter({"a": 1})},
                {ann: b"enrolled"},
                {("default", "trial"): Counter({("trial:a", "0", "shoppers"): 1})},
                7,
            )
        )
        await counted.write(Portion(0, (1, 1), (2, 2), {ann: None}, {}, {}, {ann: None}, {}, 8))
        assert await counted.positions(0) == (2, 2)
        assert await counted.held(0, [ann]) == await counted.enrolled(0, [ann]) == {ann: None}
        assert await refused(operator) == set()
        for key in (keys.shopper(0, *ann), keys.tenants(), keys.model("default", "embedding")):
            with pytest.raises(NoPermissionError):
                await client.mget([key])
    finally:
        await client.aclose()
    gateway = connect(url_of(store, "gateway"))
    try:
        told, items = await Attributions(gateway, keys).counts(of[0], [of[1]], 4)
        assert (told.total(), items.total()) == (1, 1), "a gateway may read it"
        sums, to_ms = await Attributions(gateway, keys).cohorts("default", "trial", 4)
        assert (sums, to_ms) == ({("trial:a", "0", "shoppers"): 1}, 8)
    finally:
        await gateway.aclose()


async def test_insights_counts_reviews_and_reads_nothing_of_shoppers(
    deployment: Deployment, store: Valkey, operator: Redis
) -> None:
    client, prefix = connect(url_of(store, "insights")), deployment.settings.redis_prefix
    keys, main, source = review_keys(prefix), Keys(prefix), ("verdicts", 0)
    try:
        assert await read_slots(client, main) == DEFAULT_SLOTS
        await require_noeviction(client)
        await RedisModelPointer(client, main).read("default", "sentiment")
        await epochs(client, keys, DEFAULT_SLOTS)
        totals = ReviewTotals(client, keys, DEFAULT_SLOTS)
        await totals.know(["default"])
        slot, name = slot_of("default", "ann", DEFAULT_SLOTS), ("default", "ann")
        ops = b"".join(  # more than a value holds, and all of the kinds of record
            event_op((n, 1), n % 2, (0, 0), (1, event_digest(f"r-{n}")), [(0, b"mug")])
            for n in range(40)
        )
        ops += record_op(BAD_RECORD, 40, 1) + hole_op(41, 1)
        call = SlotCall(slot, source, 0, 42, 1, "41:w", ["default"], [name], ops)
        await VerdictStore(client, keys, DEFAULT_SLOTS, 1).apply([call])
        sweep = ItemTotals(client, keys, DEFAULT_SLOTS)
        assert (await sweep.sweep_dirty(), await sweep.sweep_all()) == (2, 2)
        [counts] = await totals.read(await totals.items())
        assert (counts.good, counts.bad) == (20, 20)
        await read_fences(client, keys, DEFAULT_SLOTS, [source])
        outbox = Outbox(client, keys, DEFAULT_SLOTS)
        await outbox.settle([*await outbox.owed([source]), ("verdicts", 0, 1)])
        await ErasedState(client, keys, DEFAULT_SLOTS).set_marks({name: 9})
        assert await refused(operator) == set()
        for key in (main.shopper(0, *name), main.served_list(0, *name), main.event_ids(0, *name)):
            with pytest.raises(NoPermissionError):
                await client.get(key)
        with pytest.raises(NoPermissionError):
            await client.set(main.model("default", "sentiment"), "x")
    finally:
        await client.aclose()


async def test_a_trainer_moves_the_current_model_and_reads_no_counts(
    deployment: Deployment, store: Valkey
) -> None:
    trainer, keys = connect(url_of(store, "trainer")), Keys(deployment.settings.redis_prefix)
    try:
        pointer = RedisModelPointer(trainer, keys)
        assert await pointer.promote("default", "embedding", 1, "0" * 64, None)
        assert await pointer.read("default", "embedding") == (1, "0" * 64)
        state = TrainingState(step=Step.WAITING, wanted=9)
        states = TrainingStates(trainer, keys)
        await states.put("default", "embedding", Told(as_datetime(0), state))
        assert (await states.of("default"))["embedding"].state == state
        with pytest.raises(NoPermissionError):
            await cast(Awaitable[object], trainer.hgetall(keys.fences(0)))
    finally:
        await trainer.aclose()


async def test_a_gateway_serves_moves_models_and_forgets_with_its_own_rights(
    deployment: Deployment, store: Valkey, operator: Redis, tmp_path: Path
) -> None:
    url = url_of(store, "gateway")
    settings = settings_of(deployment, tmp_path, redis_url=url)
    token = key_for(settings)
    await deployment.start("recommender")  # an erasure is proved once it has been counted
    async with (
        running(settings) as gateway,
        caller(gateway.door, token) as http,
        going_on(gateway.beside),
    ):
        said = {"type": "purchase", "user_id": "u1", "items": [{"item_id": "a"}]}
        assert (await http.post("/v1/events", json=said)).status_code == 202
        for path in (
            *("/v1/recommendations/u1", "/v1/recommendations/u1?explain=true"),
            *("/v1/items/a/similar", "/v1/models"),
        ):
            assert (await http.get(path)).status_code == 200, path
        forgotten = await http.post("/v1/erasures", json={"user": "u1"})
        assert await refused(operator) == set()
        assert forgotten.status_code == 200, forgotten.text
    redis, keys = connect(url), Keys(deployment.settings.redis_prefix)
    try:
        pointer = RedisModelPointer(redis, keys)
        assert await pointer.choose("shop", "embedding", 2, "0" * 64, None)
        assert await refused(operator) == set()
        with pytest.raises(NoPermissionError):
            await cast(Awaitable[object], redis.hset(keys.fences(0), "a", "1"))
        with pytest.raises(NoPermissionError):
            await redis.set(keys.shopper(0, "shop", "u1"), "counts")
    finally:
        await redis.aclose()


@pytest.mark.parametrize("command", NEVER)
@pytest.mark.parametrize("user", sorted(users().keys() - {"default", "operator"}))
async def test_what_only_the_operator_may(
    deployment: Deployment, operator: Redis, user: str, command: str
) -> None:
    told = await operator.acl_dryrun(user, *command.split())
    assert b"no permissions" in told


async def test_what_a_recommender_does_seldom_it_may_do(
    deployment: Deployment, operator: Redis
) -> None:
    owed = Keys(deployment.settings.redis_prefix).owed(0)
    for command in (("SREM", owed, "x"), ("SMEMBERS", owed), ("CLUSTER", "SLOTS"), ("ASKING",)):
        assert await operator.acl_dryrun("recommender", *command) == b"OK"


def test_nobody_comes_in_without_a_name() -> None:
    assert users()["default"] == ["off"]
