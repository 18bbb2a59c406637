"""No raw id beyond the client, and after `millstream erase` no pseudonym either: byte for byte.

The services are processes, the shoppers' raw ids are planted texts that nothing else contains."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis
from tests.byte_scan import found_in, in_lake, in_redis, in_topic
from tests.commands import ran
from tests.ending import ends_in_order
from tests.review_models import promote_reviews

from millstream.client import AsyncClient, Event, Pseudonyms
from millstream.client.composition import compose
from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.erasures import is_covered
from millstream.domain.identity import record_key, slot_of
from millstream.domain.log import LogRecord
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.following import load_erasures
from millstream.privacy.key_files import newest, rotate
from millstream.privacy.reverse_table import MASTER_BYTES, ReverseTable
from millstream.setup import set_up
from millstream.stores.erasures import ErasedState
from millstream.stores.feature_store import FeatureStore
from millstream.stores.keys import Keys
from millstream.stores.lake import offsets, read_accepted
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.stores.reverse_rows import SqliteRows
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import (
    DEAD_LETTERS,
    ERASURES,
    EVENTS,
    RECOMMENDATIONS,
    REVIEW_COUNTS,
    REVIEW_VERDICTS,
    REVIEWS,
    read_topics,
)

PATIENCE_S = 60.0
SIDE_BY_SIDE = 3
"""Topics that are scanned: each is waited for until it is quiet, which a busy broker only seems."""
TENANT = "default"
ANN = "ann.planted@example.org"
COOKIE = "~cookie-planted-0815"
SHOPPERS = (ANN, "bob-planted-77", COOKIE, "ü-planted-cäsar")
SPOKEN = ("session-planted-1", "order-planted-4711")
PLANTED = (ANN, "bob-planted-77", "cookie-planted-0815", "planted-cäsar", *SPOKEN)
JUDGED = ("acc", "dup", "late", "era", "over", "bad")


@dataclass
class Shop:
    """A deployment, the keys of its tenant, and how many records went to its events topic."""

    deployment: Deployment
    home: Path
    redis: Redis
    producer: AIOKafkaProducer
    sent: Counter[int] = field(default_factory=Counter)
    processes: list[ServiceProcess] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)  # what commands printed

    @property
    def keys_dir(self) -> Path:
        return self.home / "pseudonym-keys"

    @property
    def keys(self) -> Keys:
        return Keys(self.deployment.settings.redis_prefix)

    @property
    def store(self) -> FeatureStore:
        return FeatureStore(self.redis, self.keys, DEFAULT_SLOTS, 12)

    def topic(self, name: str) -> str:
        return self.deployment.settings.topic(name)

    def pseudonyms(self) -> Pseudonyms:
        return newest(TENANT, self.keys_dir)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncClient]:
        settings = self.deployment.settings
        servers, prefix = settings.kafka_bootstrap_servers, settings.topic_prefix
        made = AsyncClient(servers, TENANT, prefix, False, pseudonyms=self.pseudonyms())
        async with made as client:
            yield client

    async def start(self, service: str, **variables: Any) -> None:
        self.processes.append(await self.deployment.start(service, **variables))

    async def track(self, client: AsyncClient, kind: str, shopper: str, **more: Any) -> Event:
        name = {"anonymous_id": shopper[1:]} if shopper[0] == "~" else {"user_id": shopper}
        event = await client.track(kind, **name, **more)  # type: ignore[arg-type]
        await self.note_place(client, event)
        return event

    async def note_place(self, client: AsyncClient, event: Event) -> None:
        partition, _ = client._positions[event.event_id]
        self.sent[partition] += 1

    async def send(self, shopper: str, value: bytes, log_ms: int) -> None:
        key = record_key(TENANT, self.pseudonyms().shopper(shopper))
        told = await self.producer.send_and_wait(
            self.topic(EVENTS), value, key, timestamp_ms=log_ms
        )
        self.sent[told.partition] += 1

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not await holds():
            self.deployment.raise_dead()
            assert asyncio.get_running_loop().time() < deadline, f"{what}: not in {PATIENCE_S} s"
            await asyncio.sleep(0.1)

    async def all_handled(self) -> bool:
        ledger = await self.store.ledger()
        return sum(ledger[name] for name in JUDGED) == self.sent.total()

    async def all_stored(self) -> bool:
        stored = await asyncio.to_thread(
            offsets, self.deployment.settings.lake_dir, self.topic(EVENTS)
        )
        return sum(stored.values()) == self.sent.total()

    async def settled(self) -> None:
        await self.until(self.all_handled, "every record has its verdict in Redis")
        await self.until(self.all_stored, "every record is in the lake's files")

    async def millstream(self, *words: str) -> tuple[int, bytes]:
        """Exit code and standard output of a command that ends by itself."""
        done = await ran(*words, **{**self.processes[0].environment(), **self.variables()})
        out, err = done.out.encode(), done.err.encode()
        self.said += [out, err]
        return done.code, out if out else err

    def variables(self) -> dict[str, str]:
        return {
            "MILLSTREAM_PSEUDONYM_KEYS_DIR": str(self.keys_dir),
            "MILLSTREAM_REVERSE_TABLE": str(self.home / "reverse.sqlite"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


@asynccontextmanager
async def opened(tansu: Tansu, valkey: Valkey, home: Path) -> AsyncIterator[Shop]:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    redis = connect(valkey.url)
    try:
        async with (
            deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment,
            producer_for(deployment.settings, "test") as producer,
        ):
            shop = Shop(deployment, home, redis, producer)
            rotate(shop.keys_dir, TENANT)
            SqliteRows(home / "reverse.sqlite").close()
            await shop.start("recommender")
            await shop.start("lake", lake_flush_seconds=0.2)
            yield shop
    finally:
        await redis.aclose()


async def shop_a_while(shop: Shop, client: AsyncClient) -> None:
    """Views, a search and an order of every shopper, ids wherever a shop may put them."""
    for number, shopper in itertools.product(range(4), SHOPPERS):
        name = shopper.removeprefix("~")
        await shop.track(
            client,
            "view_item",
            shopper,
            items=[f"i{number}"],
            event_id=f"{name}-view-{number}",
            session_id=SPOKEN[0],
        )
    for shopper in SHOPPERS:
        name = shopper.removeprefix("~")
        await shop.track(
            client, "search", shopper, query=f"orders of {name}", context={"who": name}
        )
        await shop.track(
            client,
            "purchase",
            shopper,
            items=["i0", "i1"],
            transaction_id=SPOKEN[1],
            event_id=f"{SPOKEN[1]}-{name}",
        )


async def send_letters(shop: Shop) -> int:
    """For each shopper what a client of ours made and something on the way spoilt or held up;
    all of it is refused. Returns how many."""
    now, count = wall_clock(), 0
    for shopper in SHOPPERS:
        name = {"anonymous_id": shopper[1:]} if shopper[0] == "~" else {"user_id": shopper}
        fields: Any = {**name, "items": ["i9"], "session_id": SPOKEN[0]}
        said, good = compose("view_item", TENANT, fields, now, shop.pseudonyms())
        assert said.shopper == shopper
        spoilt = (good[:-1], good.replace(b"view_item", b"levitate"), good.replace(b"i9", b"{9}"))
        for value in spoilt:
            await shop.send(shopper, value, now)
        fields["time"] = as_datetime(now)
        _, held_up = compose("view_item", TENANT, fields, now, shop.pseudonyms())
        await shop.send(shopper, held_up, now + HORIZON_MS + 60_000)
        count += len(spoilt) + 1
    return count


async def everywhere(shop: Shop) -> dict[str, list[bytes]]:
    """By place all bytes that stand there."""
    settings = shop.deployment.settings
    servers = settings.kafka_bootstrap_servers
    names = [spec.name for spec in read_topics()]

    turns = asyncio.Semaphore(SIDE_BY_SIDE)

    async def scanned(name: str) -> list[bytes]:
        async with turns:
            return [part async for part in in_topic(servers, settings.topic(name))]

    places = dict(zip(names, await asyncio.gather(*map(scanned, names)), strict=True))
    places["redis"] = [
        part async for pair in in_redis(shop.redis, settings.redis_prefix) for part in pair
    ]
    places["lake"] = list(await asyncio.to_thread(lambda: list(in_lake(settings.lake_dir))))
    places["logs"] = [process.log_path.read_bytes() for process in shop.processes] + shop.said
    return places


async def redis_keys_naming(shop: Shop, texts: set[str]) -> set[bytes]:
    """Kinds of keys that name any of `texts`, in the key or in what it holds."""
    prefix = shop.deployment.settings.redis_prefix
    return {
        key.removeprefix(prefix.encode()).removeprefix(b"reviews:").partition(b":")[0]
        async for key, held in in_redis(shop.redis, prefix)
        if found_in([key, held], texts)
    }


async def test_what_a_shopper_is_called_stays_at_the_door_and_what_was_done_can_be_forgotten(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    async with opened(tansu, valkey, tmp_path) as shop:
        old = shop.pseudonyms()
        await shop.start("attribution")
        await nothing_raw_leaves_the_client(shop, old)
        again = await after_a_rotation_a_shopper_starts_anew(shop, old)
        theirs = {old.shopper(ANN), shop.pseudonyms().shopper(ANN)}
        await erased_under_both_keys(shop, theirs)
        await a_late_retry_brings_nothing_back(shop, again)
        await assert_forgotten(shop, theirs)
        await a_rebuild_brings_nothing_back(shop, theirs)
        assert not (await shop.store.shopper(TENANT, old.shopper(SHOPPERS[1]))).is_empty
        await who_comes_back_is_counted(shop)
        await nothing_raw_stands_anywhere(shop)


async def nothing_raw_leaves_the_client(shop: Shop, old: Pseudonyms) -> None:
    """Whatever became of the events; and the scan that says so finds the pseudonyms."""
    async with shop.client() as client:
        await shop_a_while(shop, client)
        letters = await send_letters(shop)
        await shop.settled()
        for shopper in SHOPPERS:
            found = await client.recommendations(shopper, timeout=PATIENCE_S)
            assert found is not None
            assert found.user == shopper
            assert found.items
        await a_review_is_judged(shop, client)
    ledger = await shop.store.ledger()
    assert (ledger["bad"], ledger["late"]) == (letters - len(SHOPPERS), len(SHOPPERS))
    places = await nothing_raw_stands_anywhere(shop)
    first = {old.shopper(ANN)}
    for name in (EVENTS, DEAD_LETTERS, RECOMMENDATIONS, REVIEWS, REVIEW_VERDICTS, "redis", "lake"):
        assert found_in(places[name], first) == first, f"the scan does not see into {name}"
    assert not found_in(places["logs"], {old.shopper(name).strip("~") for name in SHOPPERS})


async def a_review_is_judged(shop: Shop, client: AsyncClient) -> None:
    await promote_reviews(shop.deployment, shop.redis)
    group = f"{shop.deployment.settings.topic_prefix}insights"
    await shop.start("insights", insights_reviews=True, insights_demand=False, insights_group=group)
    await client.review("i0", user_id=ANN, text="a great lamp", review_id=f"review-of-{ANN}")
    servers = shop.deployment.settings.kafka_bootstrap_servers

    async def is_told() -> bool:
        return bool([part async for part in in_topic(servers, shop.topic(REVIEW_COUNTS))])

    await shop.until(is_told, "the review is counted")
    await ends_in_order(shop.processes[-1])


async def nothing_raw_stands_anywhere(shop: Shop) -> dict[str, list[bytes]]:
    """Returns what was looked at."""
    places = await everywhere(shop)
    assert {name: found_in(parts, PLANTED) for name, parts in places.items()} == {
        name: set() for name in places
    }
    return places


async def after_a_rotation_a_shopper_starts_anew(shop: Shop, old: Pseudonyms) -> Event:
    assert (await shop.millstream("keys", "pseudonyms", "rotate"))[0] == 0
    async with shop.client() as client:
        assert await client.recommendations(ANN, timeout=PATIENCE_S) is None
        event = await shop.track(client, "view_item", ANN, items=["i1"])
        await shop.settled()
        for pseudonym in (shop.pseudonyms().shopper(ANN), old.shopper(ANN)):
            assert not (await shop.store.shopper(TENANT, pseudonym)).is_empty
        assert await client.recommendations(ANN, after=event, timeout=PATIENCE_S) is not None
    return event


async def erased_under_both_keys(shop: Shop, theirs: set[str]) -> None:
    with closing(SqliteRows(shop.home / "reverse.sqlite")) as rows:
        table = ReverseTable(rows, b"m" * MASTER_BYTES)
        for pseudonym in theirs:
            table.remember(TENANT, pseudonym, ANN)
        table.remember(TENANT, "somebody", "bob")
        code, told = await shop.millstream("erase", ANN, "--json")
        assert code == 0, told.decode()
        assert table.raw_id(TENANT, "somebody") == "bob"
    shop.sent.update(await erase_places(shop))
    said = json.loads(told)
    assert (said["gone"], said["key_versions"]) == (True, 2)
    proof = said["proof"]
    counts = {name: (place["found_before"], place["found_after"]) for name, place in proof.items()}
    found, left = counts.pop("redis")
    assert found >= 2
    assert left == 0
    assert proof["redis"]["after_s"] < 5
    views, others, letters, verdicts, after_rotation = 4, 2, 4, 1, 1
    in_lake_before = views + others + letters + verdicts + after_rotation
    found, left = counts.pop("attribution")
    assert found >= 1, "of the list from before the rotation at least"
    assert left == 0
    assert counts == {"lists": (2, 0), "lake": (in_lake_before, 0), "reverse": (2, 0)}


async def a_late_retry_brings_nothing_back(shop: Shop, again: Event) -> None:
    async with shop.client() as client:
        retry: dict[str, Any] = {"event_id": again.event_id, "time": again.time, "items": ["i1"]}
        await shop.track(client, "view_item", ANN, **retry)
        await shop.settled()
        assert await client.recommendations(ANN, timeout=PATIENCE_S) is None


async def a_rebuild_brings_nothing_back(shop: Shop, theirs: set[str]) -> None:
    """The log is read anew into an empty Redis that was told of the erasures."""
    servers = shop.deployment.settings.kafka_bootstrap_servers
    erasures = await load_erasures(servers, shop.topic(ERASURES))
    assert erasures.keys() == {(TENANT, pseudonym) for pseudonym in theirs}
    await wipe_and_count_again(shop, erasures)
    await assert_forgotten(shop, theirs)


async def who_comes_back_is_counted(shop: Shop) -> None:
    async with shop.client() as client:
        event = await shop.track(client, "view_item", ANN, items=["i2"])
        await shop.settled()
        assert await client.recommendations(ANN, after=event, timeout=PATIENCE_S) is not None
    pseudonym = shop.pseudonyms().shopper(ANN)
    assert not (await shop.store.shopper(TENANT, pseudonym)).is_empty
    rows = read_accepted(shop.deployment.settings.lake_dir, shop.topic(EVENTS), TENANT)
    assert rows.filter(user=pseudonym)["item"].to_list() == ["i2"]


async def erase_places(shop: Shop) -> Counter[int]:
    """Where the erase events stand, told by the records of the erasures topic."""
    values = [
        json.loads(part)
        async for part in in_topic(
            shop.deployment.settings.kafka_bootstrap_servers, shop.topic(ERASURES)
        )
        if part.startswith(b"{")
    ]
    return Counter(value["origin"]["partition"] for value in values)


async def assert_forgotten(shop: Shop, theirs: set[str]) -> None:
    """In Redis only the marks name them; the lake and what a trainer would read do not."""
    assert await redis_keys_naming(shop, theirs) == {b"x"}
    root = shop.deployment.settings.lake_dir
    assert not found_in(await asyncio.to_thread(lambda: list(in_lake(root))), theirs)
    window = read_accepted(root, shop.topic(EVENTS), TENANT)
    assert not theirs & set(window["user"])
    assert window.height > 0


async def wipe_and_count_again(shop: Shop, erasures: dict[tuple[str, str], int]) -> None:
    recommender = shop.processes[0]
    await asyncio.to_thread(recommender.stop)
    prefix = shop.deployment.settings.redis_prefix
    names = [key async for key in shop.redis.scan_iter(f"{prefix}*", count=1000)]
    await shop.redis.delete(*names)
    await set_up(shop.deployment.settings, slots=DEFAULT_SLOTS, replay=True, partitions=None)
    state = ErasedState(shop.redis, shop.keys, DEFAULT_SLOTS)
    await state.set_marks(erasures)
    await asyncio.to_thread(recommender.start)
    await shop.settled()


async def test_a_replay_of_dead_letters_knows_whose_to_pass_over(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    async with opened(tansu, valkey, tmp_path) as shop:
        count = await send_letters(shop)
        await shop.settled()
        code, told = await shop.millstream("erase", COOKIE, "--json")
        assert code == 0, told.decode()
        pseudonym = shop.pseudonyms().shopper(COOKIE)
        servers = shop.deployment.settings.kafka_bootstrap_servers
        erasures = await load_erasures(servers, shop.topic(ERASURES))
        letters = [letter async for letter in letters_of(shop)]
        assert len(letters) == count
        theirs = [letter for letter in letters if pseudonym[1:].encode() in (letter.value or b"")]
        assert len(theirs) == count // len(SHOPPERS)
        assert [letter for letter in letters if is_covered(letter, erasures)] == theirs


async def letters_of(shop: Shop) -> AsyncIterator[LogRecord]:
    """The letters as records of the log that refused them."""
    servers, topic = shop.deployment.settings.kafka_bootstrap_servers, shop.topic(DEAD_LETTERS)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
    )
    async with consumer:
        consumer.assign(await partitions_of(servers, topic))
        while batches := await consumer.getmany(timeout_ms=1000):
            for record in itertools.chain.from_iterable(batches.values()):
                told = dict(record.headers)
                yield LogRecord(
                    shop.topic(EVENTS),
                    int(told["millstream.error.partition"]),
                    int(told["millstream.error.offset"]),
                    int(told["millstream.error.log_ms"]),
                    record.key,
                    record.value,
                )


async def test_what_is_not_gone_is_said_and_ends_in_an_exit_code(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    """Without a lake's service its files still hold the records; the rest is gone."""
    async with opened(tansu, valkey, tmp_path) as shop:
        async with shop.client() as client:
            await shop.track(client, "view_item", ANN, items=["i1"])
            await shop.settled()
        await asyncio.to_thread(shop.processes[1].stop)
        code, told = await shop.millstream("erase", ANN, "--json", "--lake-timeout", "1")
        proof = json.loads(told)
        assert (code, proof["gone"]) == (1, False)
        found = {name: place["found_after"] for name, place in proof["proof"].items()}
        assert found == {"redis": 0, "attribution": 0, "lists": 0, "lake": 1, "reverse": 0}
        # The request stands: the service does its part when it runs again, and a proof is had by
        # asking once more.
        await asyncio.to_thread(shop.processes[1].start)
        code, told = await shop.millstream("erase", ANN, "--json")
        assert (code, json.loads(told)["gone"]) == (0, True)


async def test_a_shopper_can_be_erased_while_no_worker_runs(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    """The state goes at once; what the worker had still to count is older than the mark."""
    async with opened(tansu, valkey, tmp_path) as shop:
        async with shop.client() as client:
            first = await shop.track(client, "view_item", ANN, items=["i1"])
            assert await client.recommendations(ANN, after=first, timeout=PATIENCE_S) is not None
            await asyncio.to_thread(shop.processes[0].stop)
            await shop.track(client, "view_item", ANN, items=["i2"])
            code, told = await shop.millstream("erase", ANN, "--json")
            assert code == 0, told.decode()
            shop.sent.update(await erase_places(shop))
            await asyncio.to_thread(shop.processes[0].start)
            await shop.settled()
            assert await client.recommendations(ANN, timeout=PATIENCE_S) is None
        name = shop.pseudonyms().shopper(ANN)
        await assert_only_marks(shop, {name})
        marks = await shop.redis.hgetall(shop.keys.erased(slot_of(TENANT, name, DEFAULT_SLOTS)))
        assert f"{TENANT}:{name}".encode() in marks


async def assert_only_marks(shop: Shop, theirs: set[str]) -> None:
    assert await redis_keys_naming(shop, theirs) == {b"x"}


def test_the_scan_finds_each_spelling() -> None:
    """A scan that sees nothing would let everything pass."""
    text = "ann.planted@example.org"
    raw = text.encode()
    for before in range(4):
        framed = b"x" * before + raw + b"yz"
        assert found_in([base64.b64encode(framed)], {text}) == {text}
        assert found_in([base64.urlsafe_b64encode(framed)], {text}) == {text}
        assert found_in([framed.hex().encode()], {text}) == {text}
        assert found_in([framed], {text}) == {text}
    assert not found_in([msgspec.json.encode({"user": "somebody else"})], {text})
