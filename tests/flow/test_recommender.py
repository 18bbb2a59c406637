"""`millstream init` and `millstream recommender` as processes: bytes in, counts and lists out.

What the counts must be is told by local/recount.py from the topic's own bytes."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from redis.asyncio import Redis
from tests.commands import ran

from millstream.cli.variables import checked
from millstream.domain.identity import record_key
from millstream.domain.lists import RecommendationList, Source
from millstream.local.ports import free_port
from millstream.local.recount import Recount, compare
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.recommender.settings import RecommenderSettings
from millstream.recommender.wiring import running
from millstream.stores.catalogue import Catalogue
from millstream.stores.feature_store import FeatureStore
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.topics import CATALOG

PARTITIONS = 4
PATIENCE_S = 90.0
LIST = msgspec.json.Decoder(RecommendationList)
LEDGER = ("acc", "dup", "late", "era", "over", "bad")


@dataclass
class Shop:
    """One deployment under names of its own, and what was sent to it."""

    variables: dict[str, str]
    producer: AIOKafkaProducer
    redis: Redis
    sent: Counter[int] = field(default_factory=Counter)  # records by partition
    letters: dict[tuple[int, int], tuple[bytes | None, str]] = field(default_factory=dict)

    @property
    def keys(self) -> Keys:
        return Keys(self.variables["MILLSTREAM_REDIS_PREFIX"])

    @property
    def store(self) -> FeatureStore:
        return FeatureStore(self.redis, self.keys, DEFAULT_SLOTS, PARTITIONS)

    def topic(self, name: str) -> str:
        return self.variables["MILLSTREAM_TOPIC_PREFIX"] + name

    async def send(self, key: bytes, value: bytes | None, refused_as: str = "") -> None:
        told = await self.producer.send_and_wait(self.topic("shop.events.v1"), value, key)
        self.sent[told.partition] += 1
        if refused_as:
            self.letters[told.partition, told.offset] = (value, refused_as)

    async def all_handled(self) -> bool:
        ledger = await self.store.ledger()
        return sum(ledger[name] for name in LEDGER) == self.sent.total()


@pytest.fixture
async def shop(tansu: Tansu, valkey: Valkey, prefix: str, tmp_path: Path) -> AsyncIterator[Shop]:
    variables = {
        "KAFKA_BOOTSTRAP_SERVERS": tansu.bootstrap_servers,
        "REDIS_URL": valkey.url,
        "MODEL_STORE": str(tmp_path / "models"),
        "MILLSTREAM_TOPIC_PREFIX": prefix,
        "MILLSTREAM_REDIS_PREFIX": prefix,
        "MILLSTREAM_KEYS_DIR": str(tmp_path / "keys"),
        "MILLSTREAM_KAFKA_IDEMPOTENCE": "false",
        "MILLSTREAM_SESSION_TIMEOUT_SECONDS": "10",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    producer = AIOKafkaProducer(bootstrap_servers=tansu.bootstrap_servers, enable_idempotence=False)
    redis = connect(valkey.url)
    async with producer:
        yield Shop(variables, producer, redis)
    await redis.aclose()


async def millstream(variables: Mapping[str, str], *words: str) -> tuple[int, str]:
    """Exit code and standard error of a command that ends by itself."""
    done = await ran(*words, **variables)
    return done.code, done.err


@asynccontextmanager
async def recommender(shop: Shop, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "millstream",
            "recommender",
            env={**os.environ, **shop.variables},
            stderr=errors,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def tail(log: Path) -> str:
    return "\n".join(log.read_text().splitlines()[-20:])


async def until(
    condition: Callable[[], Awaitable[bool]], process: asyncio.subprocess.Process, log: Path
) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        if process.returncode is not None or time.monotonic() > deadline:
            pytest.fail(f"exit code {process.returncode}; the worker's log ends with:\n{tail(log)}")
        await asyncio.sleep(0.1)


def event(event_id: str, user: str, *items: str, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "type": "view_item" if len(items) == 1 else "purchase",
        "time": datetime.now(UTC).isoformat(),
        "user_id": user,
        "items": [{"item_id": item} for item in items],
        **more,
    }


async def tell(shop: Shop, what: dict[str, Any]) -> None:
    key = record_key(what.get("tenant", "default"), what["user_id"])
    await shop.send(key, json.dumps(what).encode())


async def tell_many(shop: Shop, first: int, count: int) -> None:
    """Views and baskets of eight shoppers of two tenants; every fifth event comes again at once,
    and on another partition as if a retry had lost its way."""
    rng = random.Random(first)
    for number in range(first, first + count):
        user, tenant = f"u{number % 8}", "shop-2" if number % 8 == 7 else "default"
        items = rng.sample("abcdefghij", rng.choice((1, 1, 3)))
        what = event(f"e{number}", user, *items, tenant=tenant)
        await tell(shop, what)
        if number % 5 == 0:
            await tell(shop, what)
            await shop.send(b"elsewhere-%d" % number, json.dumps(what).encode())


async def tell_until(shop: Shop, first: int, enough: asyncio.Event) -> None:
    while not enough.is_set():
        await tell_many(shop, first, 20)
        first += 20


def bad_records() -> dict[str, tuple[bytes | None, str]]:
    """Every kind of bad input that the wire knows, with its reason code."""
    now = datetime.now(UTC)

    def changed(**fields: Any) -> bytes:
        made = event("bad", "u0", "a") | fields
        return json.dumps(
            {name: value for name, value in made.items() if value is not ...}
        ).encode()

    def priced(price: str) -> bytes:
        return changed(items=[{"item_id": "a", "price": 7.25}]).replace(b"7.25", price.encode())

    return {
        "not text": (b"\xff\xfe\x00", "undecodable"),
        "not JSON": (b"{]", "undecodable"),
        "null": (None, "undecodable"),
        "nested without end": (b'{"extra":' + b"[" * 50_000, "undecodable"),
        "no object": (b"[]", "wrong_type"),
        "an id that is a number": (changed(event_id=5), "wrong_type"),
        "a time that is none": (changed(time="yesterday"), "wrong_type"),
        "an unknown type": (changed(type="levitate"), "unknown_event_type"),
        "no event id": (changed(event_id=...), "missing_field"),
        "nobody": (changed(user_id=...), "missing_field"),
        "an empty id": (changed(event_id=""), "bad_id"),
        "an over-long id": (changed(event_id="x" * 129), "bad_id"),
        "a control character": (changed(user_id="u\u00070"), "bad_id"),
        "a brace": (changed(user_id="{0}"), "bad_id"),
        "two items viewed": (changed(items=[{"item_id": "a"}, {"item_id": "b"}]), "bad_items"),
        "NaN": (priced("NaN"), "undecodable"),
        "infinite": (priced("1e400"), "out_of_range"),
        "negative": (priced("-1"), "out_of_range"),
        "far in the future": (changed(time=(now + timedelta(days=2)).isoformat()), "future_time"),
        "late": (changed(time=(now - timedelta(hours=25)).isoformat()), "late"),
        "over 64 KiB": (changed(context={"x": "y" * 65_536}), "too_large"),
    }


async def read_all(shop: Shop, topic: str, wanted: int) -> list[Any]:
    """At least `wanted` records of a topic from its start, and what more there is then."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=shop.variables["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=None,
        auto_offset_reset="earliest",
    )
    async with consumer, asyncio.timeout(PATIENCE_S):
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        found: list[Any] = []
        idle = False
        while len(found) < wanted or not idle:
            batches = await consumer.getmany(timeout_ms=1000)
            found += [record for records in batches.values() for record in records]
            idle = not batches
    return found


async def assert_exact(shop: Shop) -> Recount:
    """Redis holds what the topic says, its dead letters left out."""
    records = await read_all(shop, shop.topic("shop.events.v1"), shop.sent.total())
    assert len(records) == shop.sent.total()
    recount = Recount()
    for record in records:
        if (record.partition, record.offset) not in shop.letters:
            recount.add(record.value)
    assert recount.unreadable == 0
    users = await shopper_counts(shop.redis, shop.keys, DEFAULT_SLOTS)
    items = await item_counts(shop.redis, shop.keys, DEFAULT_SLOTS)
    verdict = compare(recount, users, items)
    assert (verdict.lost, verdict.doubled, verdict.lost_lines, verdict.doubled_lines) == (0,) * 4
    ledger = await shop.store.ledger()
    late = sum(reason == "late" for _, reason in shop.letters.values())
    assert ledger["acc"] == recount.accepted
    assert ledger["dup"] == recount.repeated
    assert (ledger["late"], ledger["bad"]) == (late, len(shop.letters) - late)
    return recount


async def assert_totals(shop: Shop, recount: Recount, *running: Any) -> None:
    items = {(tenant, item) for tenant, item, _ in recount.items}

    async def swept() -> bool:
        for tenant, item in items:
            found = (await shop.store.item(tenant, item)).by_type
            if {(tenant, item, kind.value): n for kind, n in found.items()} != {
                count: n for count, n in recount.items.items() if count[:2] == (tenant, item)
            }:
                return False
        return True

    await until(swept, *running)


async def assert_lists(shop: Shop) -> None:
    """For each shopper one that is as new as the last event that counted."""
    newest: dict[tuple[str, str], RecommendationList] = {}
    for record in await read_all(shop, shop.topic("reco.recommendations.v1"), 1):
        made = LIST.decode(record.value)
        assert record.key == record_key(made.tenant, made.user)
        assert made.items
        assert len({item.item_id for item in made.items}) == len(made.items)
        old = newest.get((made.tenant, made.user))
        if old is None or made.freshness > old.freshness:
            newest[made.tenant, made.user] = made
    last: dict[tuple[str, str], str] = {}
    seen = set()
    records = await read_all(shop, shop.topic("shop.events.v1"), shop.sent.total())
    for record in sorted(records, key=lambda found: found.timestamp):
        if (record.partition, record.offset) not in shop.letters:
            sent = json.loads(record.value)
            if sent["event_id"] not in seen:
                seen.add(sent["event_id"])
                last[sent["tenant"], sent["user_id"]] = sent["time"]
    assert newest.keys() == last.keys()
    for name, sent_at in last.items():
        assert newest[name].event_time >= datetime.fromisoformat(sent_at)


async def assert_letters(shop: Shop) -> None:
    """Original bytes; reason and place in the headers."""
    records = await read_all(shop, shop.topic("shop.events.v1.dlq"), len(shop.letters))
    found = {}
    for record in records:
        told = dict(record.headers)
        assert told["millstream.error.topic"].decode() == shop.topic("shop.events.v1")
        place = int(told["millstream.error.partition"]), int(told["millstream.error.offset"])
        assert record.key == b"bad"
        found[place] = (record.value, told["millstream.error.reason"].decode())
    assert found == shop.letters


async def test_bytes_in_counts_and_lists_out(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "recommender.log"
    assert (await millstream(shop.variables, "init", "--partitions", str(PARTITIONS)))[0] == 0
    async with recommender(shop, log) as process:
        await tell_many(shop, 0, 60)
        for value, reason in bad_records().values():
            await shop.send(b"bad", value, reason)
        await tell_many(shop, 60, 60)
        await until(shop.all_handled, process, log)
        recount = await assert_exact(shop)
        await assert_totals(shop, recount, process, log)
        await assert_letters(shop)
        await assert_lists(shop)

        # A failover to a replica that was behind takes one slot back, while the worker runs.
        slot = f"*{{{await busiest_slot(shop)}}}*"
        names = [name async for name in shop.redis.scan_iter(f"{shop.keys.prefix}{slot}")]
        copy = {name: await shop.redis.dump(name) for name in names}
        await tell_many(shop, 120, 40)
        await until(shop.all_handled, process, log)
        await restore(shop, slot, copy)
        assert not await shop.all_handled()
        await tell_many(shop, 160, 8)
        await until(shop.all_handled, process, log)
        await assert_totals(shop, await assert_exact(shop), process, log)
        await assert_signing_in_joins_lists_and_no_counts(shop, process, log)

        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0, tail(log)
        assert time.monotonic() - asked < 10


async def assert_signing_in_joins_lists_and_no_counts(
    shop: Shop, process: asyncio.subprocess.Process, log: Path
) -> None:
    visitor = {"user_id": None, "anonymous_id": "cookie"}
    for n, item in enumerate(("lamp", "mug")):
        visit = event(f"v{n}", "", item) | visitor
        await shop.send(record_key("default", "~cookie"), json.dumps(visit).encode())
    for n, more in enumerate(({}, {"anonymous_id": "cookie"}, {})):
        await until(shop.all_handled, process, log)
        await tell(shop, event(f"ann-{n}", "ann", "rug", **more))
    await until(shop.all_handled, process, log)
    made: list[RecommendationList] = []
    while len(made) < 3:
        lists = await read_all(shop, shop.topic("reco.recommendations.v1"), 1)
        made = [one for one in (LIST.decode(r.value) for r in lists) if one.user == "ann"]
    before, *after = (
        {item.item_id for item in one.items if item.source is Source.REPEAT}
        for one in sorted(made, key=lambda one: one.freshness)
    )
    assert not before & {"lamp", "mug"}
    assert all(own >= {"lamp", "mug"} for own in after), "the last event bore one id alone"
    recount = await assert_exact(shop)
    counted = {user: n for (_, user, _), n in recount.users.items()}
    assert (counted["~cookie"], counted["ann"]) == (2, 3)


async def busiest_slot(shop: Shop) -> int:
    """The one with the most accepted events."""
    accepted = []
    for slot in range(DEFAULT_SLOTS):
        held = cast(dict[bytes, bytes], await shop.redis.hgetall(shop.keys.fences(slot)))
        accepted.append(sum(int(n) for name, n in held.items() if name.startswith(b"acc:")))
    return accepted.index(max(accepted))


async def restore(shop: Shop, slot: str, copy: Mapping[bytes, bytes | None]) -> None:
    names = [name async for name in shop.redis.scan_iter(f"{shop.keys.prefix}{slot}")]
    pipeline = shop.redis.pipeline(transaction=True)
    pipeline.delete(*names)
    for name, dumped in copy.items():
        if dumped is not None:
            pipeline.restore(name, 0, dumped)
    await pipeline.execute()


async def test_kill_9_loses_and_doubles_nothing(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "recommender.log"
    assert (await millstream(shop.variables, "init", "--partitions", str(PARTITIONS)))[0] == 0

    async def begun() -> bool:
        return (await shop.store.ledger())["acc"] >= 20

    async with recommender(shop, log) as process:
        sending = asyncio.create_task(tell_many(shop, 0, 400))
        await until(begun, process, log)
        process.kill()
        await process.wait()
        await sending
    async with recommender(shop, log) as process:
        await tell_many(shop, 400, 100)
        await until(shop.all_handled, process, log)
        await assert_totals(shop, await assert_exact(shop), process, log)
        await assert_lists(shop)


async def test_sigterm_in_the_middle_of_work_is_an_orderly_end(shop: Shop, tmp_path: Path) -> None:
    log = tmp_path / "recommender.log"
    assert (await millstream(shop.variables, "init", "--partitions", str(PARTITIONS)))[0] == 0

    async def counted(n: int) -> bool:
        return (await shop.store.ledger())["acc"] >= n

    async with recommender(shop, log) as process:
        await tell_many(shop, 0, 20)
        await until(lambda: counted(20), process, log)
        enough = asyncio.Event()
        sending = asyncio.create_task(tell_until(shop, 20, enough))
        await until(lambda: counted(200), process, log)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 10) == 0, tail(log)
        enough.set()
        await sending
    assert '"event": "totals"' in log.read_text()
    async with recommender(shop, log) as process:
        await until(shop.all_handled, process, log)
        await assert_exact(shop)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("MILLSTREAM_SESSION_TIMEOUT_SECONDS", "soon", "'soon'"),
        ("MILLSTREAM_CHUNK_EVENTS", "0", "'0'"),
        ("KAFKA_BOOTSTRAP_SERVERS", "nowhere", "'nowhere'"),
        ("REDIS_URL", "http://:secret@localhost", "not shown"),
        ("MILLSTREAM_TOPIC_PREFIX", "a b", "'a b'"),
    ],
)
async def test_a_wrong_setting_is_named_in_one_line(
    shop: Shop, name: str, value: str, shown: str
) -> None:
    code, told = await millstream({**shop.variables, name: value}, "recommender")
    assert code == 2, told
    (line,) = told.splitlines()
    assert name in line
    assert shown in line
    assert "expected" in line
    assert "secret" not in line


async def test_a_deployment_that_was_never_set_up_is_told(shop: Shop) -> None:
    code, told = await millstream(shop.variables, "recommender")
    assert code == 70, told
    assert "millstream init" in told


KAFKA, REDIS = "KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL"
INIT = f"init --partitions {PARTITIONS}"


@pytest.mark.parametrize(
    ("command", "away"),
    [
        *(
            (command, away)
            for command in (INIT, "recommender", "trainer")
            for away in (KAFKA, REDIS)
        ),
        ("lake", KAFKA),
        ("models list", REDIS),
    ],
)
async def test_a_server_that_is_away_at_start_is_told_in_one_line(
    shop: Shop, tmp_path: Path, command: str, away: str
) -> None:
    assert (await millstream(shop.variables, "init", "--partitions", str(PARTITIONS)))[0] == 0
    nobody = f"127.0.0.1:{free_port()}"
    given = nobody if away == KAFKA else f"redis://:secret@{nobody}/0"
    lake = {"LAKE_DIR": str(tmp_path / "lake")}
    code, told = await millstream({**shop.variables, **lake, away: given}, *command.split())
    assert code == 2, told
    assert "Traceback" not in told
    (line,) = [line for line in told.splitlines() if line.startswith("millstream: ")]
    assert nobody in line
    assert "expected" in line
    assert "secret" not in told
    assert "Unclosed" not in told


async def test_a_catalogue_that_can_not_be_followed_stops_the_process(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await millstream(shop.variables, "init", "--partitions", str(PARTITIONS)))[0] == 0
    for name, value in shop.variables.items():
        monkeypatch.setenv(name, value)

    def broken(*_record: object) -> None:
        raise ArithmeticError

    async with running(checked(RecommenderSettings), set) as started:
        beside = [asyncio.ensure_future(run()) for run in started.beside]
        try:
            monkeypatch.setattr(Catalogue, "take", broken)
            await shop.producer.send_and_wait(shop.topic(CATALOG), b"{}", b"default:a")
            done, _ = await asyncio.wait(
                beside, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED
            )
            assert [type(ended.exception()) for ended in done] == [ArithmeticError]
        finally:
            for run in beside:
                run.cancel()
            await asyncio.wait(beside)
