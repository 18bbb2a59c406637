"""Letters from the refusal to the count: a worker killed before an over-full letter, and what an
operator lists, mends and replays, on a broker and a Redis, through the commands."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer import message_accumulator, producer
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from redis.asyncio import Redis
from tests.commands import ran

from millstream.domain.acceptance import accept
from millstream.domain.identity import record_key, slot_of
from millstream.domain.log import LogRecord
from millstream.domain.replayed import ORIGIN, SIGNATURE
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.signing import letters_judged_by
from millstream.recommender.conservation import Conservation
from millstream.stores.feature_store import MAX_EVENT_IDS
from millstream.stores.fences import Fences, read_fences
from millstream.stores.keys import Keys
from millstream.stores.outbox import Outbox
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.streaming.replayed import signed_origins

PARTITIONS = 4
PATIENCE_S = 90.0
KILLED = -9


@dataclass
class Shop:
    variables: dict[str, str]
    producer: AIOKafkaProducer
    redis: Redis
    folder: Path

    @property
    def events(self) -> str:
        return self.variables["MILLSTREAM_TOPIC_PREFIX"] + "shop.events.v1"

    @property
    def keys(self) -> Keys:
        return Keys(self.variables["MILLSTREAM_REDIS_PREFIX"])

    @property
    def sources(self) -> list[tuple[str, int]]:
        return [(self.events, number) for number in range(PARTITIONS)]

    async def send(self, value: bytes, user: str, headers: Any = None) -> None:
        key = record_key("default", user)
        await self.producer.send_and_wait(self.events, value, key, headers=headers)

    async def fences(self, sources: list[tuple[str, int]] | None = None) -> Fences:
        return await read_fences(self.redis, self.keys, DEFAULT_SLOTS, sources or self.sources)

    async def ledger(self) -> dict[str, int]:
        found = (await self.fences()).partitions.values()
        names = ("acc", "dup", "late", "era", "over", "bad", "hol")
        return {n: sum((f.ledger or {}).get(n, 0) for f in found) for n in names}

    async def owed(self) -> list[tuple[str, int, int]]:
        return await Outbox(self.redis, self.keys, DEFAULT_SLOTS).owed(self.sources)

    async def run(self, *words: str) -> tuple[int, str, str]:
        done = await ran(*words, **self.variables)
        return done.code, done.out, done.err

    async def letters(self, *words: str) -> list[Any]:
        """What a `dead-letters` command says, a JSON object a line."""
        code, out, told = await self.run("dead-letters", *words, "--json")
        assert code == 0, told
        return [json.loads(line) for line in out.splitlines()]


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
        made = Shop(variables, producer, redis, tmp_path)
        assert (await made.run("init", "--partitions", str(PARTITIONS)))[0] == 0
        yield made
    await redis.aclose()


@asynccontextmanager
async def recommender(shop: Shop, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    with (shop.folder / "recommender.log").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "millstream",
            "recommender",
            env={**os.environ, **shop.variables, **more},
            stderr=errors,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def until(condition: Callable[[], Awaitable[bool]], shop: Shop) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not await condition():
        if time.monotonic() > deadline:
            log = (shop.folder / "recommender.log").read_text().splitlines()[-20:]
            pytest.fail(f"{await shop.ledger()}; the worker's log ends with:\n" + "\n".join(log))
        await asyncio.sleep(0.1)


async def until_ledger(shop: Shop, **wanted: int) -> None:
    async def reached() -> bool:
        found = await shop.ledger()
        return {name: found[name] for name in wanted} == wanted

    await until(reached, shop)


async def assert_conserved(shop: Shop) -> None:
    """Waits for the slots to stand together, which idle ones do within seconds."""
    conservation = Conservation(shop.fences)

    async def together() -> bool:
        return len(await conservation.check(shop.sources)) == PARTITIONS

    await until(together, shop)
    assert set((await conservation.check(shop.sources)).values()) == {0}


def event(event_id: str, user: str, ago: timedelta = timedelta(), **more: Any) -> bytes:
    made = {
        "event_id": event_id,
        "type": "view_item",
        "time": (datetime.now(UTC) - ago).isoformat(),
        "user_id": user,
        "items": [{"item_id": "secret-sku"}],
    }
    return json.dumps(made | more).encode()


async def fill_window(shop: Shop, user: str) -> None:
    """As many events as a shopper's window holds ids."""
    key = record_key("default", user)
    waiting = [
        await shop.producer.send(shop.events, event(f"one of many {n}", user), key)
        for n in range(MAX_EVENT_IDS)
    ]
    await asyncio.gather(*waiting)


async def empty_window(shop: Shop, user: str) -> None:
    slot = slot_of("default", user, DEFAULT_SLOTS)
    for name in (shop.keys.shopper, shop.keys.event_ids):
        await shop.redis.delete(name(slot, "default", user))


async def read_events(shop: Shop, wanted: int) -> list[LogRecord]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=shop.variables["KAFKA_BOOTSTRAP_SERVERS"],
        group_id=None,
        auto_offset_reset="earliest",
    )
    found: list[LogRecord] = []
    async with consumer, asyncio.timeout(PATIENCE_S):
        consumer.assign([TopicPartition(*source) for source in shop.sources])
        while len(found) < wanted:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                for r in batch:
                    place = (r.topic, r.partition, r.offset, r.timestamp)
                    found.append(LogRecord(*place, r.key, r.value, tuple(r.headers)))
    return sorted(found, key=lambda r: (r.log_ms, r.partition, r.offset))


@pytest.mark.parametrize("point", ["before-over-letters", "after-over-letters"])
async def test_a_worker_killed_around_an_over_full_letter_owes_none(shop: Shop, point: str) -> None:
    await fill_window(shop, "ann")
    body = event("one-too-many", "ann")
    async with recommender(shop, MILLSTREAM_FAILPOINT=f"{point}:1") as process:
        await shop.send(body, "ann")
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == KILLED
    assert (await shop.ledger())["over"] == 1
    assert len(await shop.owed()) == 1
    out = await shop.letters("list", "--reason", "over")
    assert len(out) == (point == "after-over-letters")

    async with recommender(shop):

        async def settled() -> bool:
            return not await shop.owed()

        await until(settled, shop)
    letters = await shop.letters("show", "--reason", "over", "--body")
    assert {letter["value"] for letter in letters} == {body.decode()}
    assert len({letter["origin"] for letter in letters}) == 1, (
        "twice perhaps, but told by its place"
    )
    assert (await shop.ledger())["over"] == 1


async def assert_told_without_ids(shop: Shop) -> None:
    code, table, _ = await shop.run("dead-letters", "list")
    listed = await shop.letters("list")
    assert code == 0
    assert len(listed) == 5
    for told in (table, json.dumps(listed), json.dumps(await shop.letters("show"))):
        assert not any(secret in told for secret in ("bob", "zoe", "mendable", "secret-sku"))
    assert len(await shop.letters("list", "--reason", "late", "--reason", "over")) == 2
    assert await shop.letters("list", "--since", "2100-01-01") == []


async def assert_mended_count_once(shop: Shop) -> None:
    """The first counts, the same again is known; zoe stays forgotten."""
    mended = shop.folder / "mended.jsonl"
    refused = await shop.letters("show", "--reason", "unknown_event_type", "--body")
    for one in refused:
        one["value"] = one["value"].replace("levitate", "view_item")
    mended.write_text("\n".join(map(json.dumps, refused)))
    words = ("replay", "--from", str(mended))
    assert (await shop.run("dead-letters", *words))[0] == 2, "no terminal, no --yes"
    (dry,) = await shop.letters(*words, "--dry-run")
    assert dry == {"found": 2, "fit": 2, "sent": 0, "not_sent": {}}
    (told,) = await shop.letters(*words, "--yes")
    assert told == {"found": 2, "fit": 2, "sent": 2, "not_sent": {}}
    await until_ledger(shop, acc=7 + MAX_EVENT_IDS, dup=1, era=2)
    await shop.letters(*words, "--yes")
    await until_ledger(shop, acc=7 + MAX_EVENT_IDS, dup=2, era=3)


async def assert_replayed_as_they_are(shop: Shop) -> None:
    """What would be refused again stays; late ones go when told to."""
    await empty_window(shop, "ann")
    (told,) = await shop.letters("replay", "--partition", "99", "--yes")
    assert told["found"] == 0
    everything = ("replay", "--since", "2000-01-01", "--yes")
    (told,) = await shop.letters(*everything)
    refused_again = {"late": 1, "undecodable": 1, "unknown_event_type": 2}
    assert (told["sent"], told["not_sent"]) == (1, refused_again)
    await until_ledger(shop, acc=8 + MAX_EVENT_IDS, over=1)
    (told,) = await shop.letters("replay", "--reason", "late", "--accept-late", "--yes")
    assert told["sent"] == 1
    await until_ledger(shop, acc=9 + MAX_EVENT_IDS, late=1, bad=3)


async def test_refused_mended_replayed_counted_once(shop: Shop) -> None:
    await fill_window(shop, "ann")
    async with recommender(shop):
        for n in range(5):
            await shop.send(event(f"good{n}", "bob"), "bob")
        await shop.send(event("good0", "bob"), "bob")
        await shop.send(event("mendable", "bob", type="levitate"), "bob")
        await shop.send(b"\xff not text", "bob")
        await shop.send(event("late", "bob", timedelta(hours=30)), "bob")
        await shop.send(event("too many", "ann"), "ann")
        await shop.send(event("of zoe", "zoe", type="levitate"), "zoe")
        await until_ledger(shop, acc=5 + MAX_EVENT_IDS, dup=1, bad=3, late=1, over=1, era=0)
        erase = event("forget", "zoe", type="erase", items=[])
        await shop.send(erase, "zoe")
        await shop.send(event("of zoe too", "zoe", timedelta(hours=1)), "zoe")
        await until_ledger(shop, acc=6 + MAX_EVENT_IDS, era=1)
        await assert_conserved(shop)

        await assert_told_without_ids(shop)
        await assert_mended_count_once(shop)
        await assert_replayed_as_they_are(shop)

        # A claim that nobody signed is a header like any other.
        forged = [(ORIGIN, f"{shop.events}:0:0:1".encode()), (SIGNATURE, b"x" * 64)]
        await shop.send(event("forged", "bob", timedelta(hours=30)), "bob", forged)
        await until_ledger(shop, acc=9 + MAX_EVENT_IDS, late=2)
        await assert_conserved(shop)
        assert await shop.owed() == []

    ledger = await shop.ledger()
    records = await read_events(shop, sum(ledger.values()))
    rule = signed_origins(*letters_judged_by(Path(shop.variables["MILLSTREAM_KEYS_DIR"])))
    # The lake's rule knows no cap on ids: for it ann's event counted at first, not when replayed.
    assert len(list(accept(records, origin_of=rule))) == ledger["acc"]


class NoText(str):
    """A header's name that goes out as bytes that are no text."""

    def encode(self, *_: object) -> bytes:
        return b"\xff\xfe"


async def test_a_header_name_that_is_no_text_stops_nobody(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The builder in C takes plain text only.
    for module in (message_accumulator, producer):
        monkeypatch.setattr(module, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy)
    async with recommender(shop):
        for n, body in enumerate((event("a", "bob"), event("b", "bob"), b"{", event("c", "bob"))):
            await shop.send(body, "bob", [(NoText("h"), b"x")] if n in (1, 2) else None)
        await until_ledger(shop, acc=3, bad=1)
        await assert_conserved(shop)
    (letter,) = await shop.letters("show", "--body")
    assert letter["headers"] == [{"name": r"\xff\xfe", "value": "x"}]


async def test_what_the_operator_asks_wrongly_is_told_in_one_line(shop: Shop) -> None:
    for words, named in (
        (("replay",), "which letters"),
        (("show", "17"), "'17'"),
        (("list", "--since", "soon"), "--since"),
        (("replay", "--from", "nowhere.jsonl"), "nowhere.jsonl"),
    ):
        code, _, told = await shop.run("dead-letters", *words)
        assert code == 2, told
        (line,) = told.splitlines()
        assert named in line
        assert "expected" in line
