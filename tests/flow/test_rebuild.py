"""A recommender counts, Redis is wiped, and what a rebuild counts is what stood there before; also
where that Redis is a cluster."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis
from tests.builders import event
from tests.counted import Counted, counted, near
from tests.redis_cluster import Cluster

from millstream.domain.acceptance import HORIZON_MS
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import Halt, OperatorError
from millstream.domain.events import MAX_ID_CHARS, MAX_ITEMS, Event, EventType, Line
from millstream.domain.identity import record_key
from millstream.features.sign_ins import SIGN_INS
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.recount import Verdict, compare, recount_topic
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.settings import PrivacySettings
from millstream.privacy.wiring import run_erase
from millstream.rebuild.spans import Options
from millstream.rebuild.wiring import Outcome, rebuild
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import load
from millstream.stores.affinities import AffinityStore
from millstream.stores.cluster import masters
from millstream.stores.feature_store import MAX_EVENT_IDS
from millstream.stores.fences import PartitionFences, read_fences
from millstream.stores.inventory import item_counts, shopper_counts
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.lake import offsets
from millstream.stores.outbox import Outbox
from millstream.stores.redis import DEFAULT_SLOTS, connected
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import DEAD_LETTERS, EVENTS

PARTITIONS = 12
PATIENCE_S = 90.0
ERASED = "u5"
GREEDY = "greedy"


@dataclass
class Shop:
    deployment: Deployment
    settings: RecommenderSettings
    redis: Redis
    services: list[ServiceProcess] = field(default_factory=list)
    sent: int = 0

    @property
    def keys(self) -> Keys:
        return Keys(self.settings.redis_prefix)

    def sources(self) -> list[tuple[str, int]]:
        return [(self.settings.topic(EVENTS), number) for number in range(PARTITIONS)]

    async def partitions(self) -> dict[int, PartitionFences]:
        found = await read_fences(self.redis, self.keys, DEFAULT_SLOTS, self.sources())
        return {tp[1]: found.partitions[tp] for tp in self.sources()}

    async def ledger(self) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for at in (await self.partitions()).values():
            sums.update(at.ledger or {})
        return dict(sums)

    async def ends(self) -> dict[int, int]:
        """The lowest fence of each partition."""
        return {number: at.lowest for number, at in (await self.partitions()).items()}

    async def settled(self) -> None:
        """All is judged, every slot is at the end, and the lake has it too."""
        async with asyncio.timeout(PATIENCE_S):
            while (
                sum((await self.ends()).values()) < self.sent
                or sum(offsets(self.settings.lake_dir, self.settings.topic(EVENTS)).values())
                < self.sent
            ):
                self.deployment.raise_dead()
                await asyncio.sleep(0.1)

    async def stop_services(self) -> None:
        for process in self.services:
            await asyncio.to_thread(process.stop)
            self.deployment._services.remove(process)

    async def wiped(self) -> None:
        async for key in self.redis.scan_iter(f"{self.keys.prefix}*", count=1000):
            await self.redis.unlink(key)

    async def rebuilt(self, options: Options) -> Outcome:
        seen: list[tuple[int, int]] = []
        outcome = await rebuild(self.settings, options, lambda done, of: seen.append((done, of)))
        assert seen[-1] == (outcome.events, outcome.events)
        assert outcome.residue == 0
        return outcome


@pytest.fixture
async def shop(tansu: Tansu, valkey: Valkey) -> AsyncIterator[Shop]:
    async with shop_on(tansu, RedisEndpoint(valkey.url, valkey.name)) as made:
        yield made


@asynccontextmanager
async def shop_on(tansu: Tansu, redis: RedisEndpoint) -> AsyncIterator[Shop]:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, redis) as deployment:
        settings = load(RecommenderSettings, **deployment.settings.model_dump())
        client = await connected(settings.redis_url)
        try:
            yield Shop(deployment, settings, client)
        finally:
            await client.aclose()


async def test_what_is_rebuilt_is_what_stood_there(shop: Shop) -> None:
    shop.services = [
        await shop.deployment.start("recommender", freshness_seconds=1),
        await shop.deployment.start("lake", lake_flush_seconds=0.2),
    ]
    log = made(wall_clock() - 120_000)
    await send(shop, log)
    await shop.settled()
    before = await counted(shop.redis, shop.keys, DEFAULT_SLOTS)
    ledger = await shop.ledger()
    assert all(ledger[name] for name in ("acc", "dup", "late", "era", "over", "bad")), ledger

    erasing = load(PrivacySettings, **shop.deployment.settings.model_dump())
    proofs = await run_erase(erasing, [("default", ERASED)], PATIENCE_S)
    assert all(proof.is_gone for proof in proofs.values())
    shop.sent += 1
    await shop.settled()
    await shop.stop_services()
    ends, letters = await shop.ends(), await dead_letters(shop)
    with pytest.raises(OperatorError, match="they would be counted on top of"):
        await rebuild(shop.settings, Options(ends=ends), lambda *_: None)

    async for key in shop.redis.scan_iter(f"{shop.keys.prefix}*", count=1000):
        if shop.keys.fences(0).split("{")[0] not in key.decode():
            await shop.redis.unlink(key)
    with pytest.raises(OperatorError, match="and no counts"):
        await rebuild(shop.settings, Options(ends=ends), lambda *_: None)

    await shop.wiped()
    outcome = await shop.rebuilt(Options(processes=2, ends=ends))
    assert (outcome.events, outcome.from_lake, outcome.erased) == (shop.sent, 0, 1)
    assert await shop.ends() == ends
    # What the erased shopper did before is erased now; the erase event counts as before.
    theirs = [what for what in log if isinstance(what, Event) and what.shopper == ERASED]
    ids = {what.event_id: what for what in theirs}
    gone = Counter(acc=len(ids), dup=len(theirs) - len(ids), itm=len(ids))
    assert outcome.ledger == {
        name: n - gone[name] + (name == "era") * len(theirs) + (name == "acc")
        for name, n in ledger.items()
    }
    expected = without(before, ERASED, list(ids.values()))
    await assert_counted(shop, expected)
    numbers = ItemNumbers(shop.redis, shop.keys)
    affinities = AffinityStore(shop.redis, shop.keys, DEFAULT_SLOTS, numbers)
    assert len(await affinities.popular("default", 5)) == 5
    assert (await affinities.neighbours("default", ["i1"]))["i1"].items
    owed = await Outbox(shop.redis, shop.keys, DEFAULT_SLOTS).owed(shop.sources())
    assert len(owed) == ledger["over"], "the recommenders send what is over-full"
    assert await dead_letters(shop) == letters, "letters went out again"

    # Once more, from the lake alone, where the erased shopper's records are blank.
    outcome = await shop.rebuilt(Options(1, wipe=True, from_lake=True, ends=ends))
    blank = len(theirs) + 1
    assert outcome.from_lake == shop.sent
    assert outcome.ledger == {
        name: n - gone[name] + (name == "hol") * blank for name, n in ledger.items()
    }
    await assert_counted(shop, expected)

    await assert_a_damaged_file_is_named(shop, ends)
    await assert_counted(shop, expected)

    # Nothing is left to do: going on changes nothing.
    outcome = await rebuild(shop.settings, Options(resume=True, ends=ends), lambda *_: None)
    assert outcome.events == 0
    await assert_counted(shop, expected)


async def test_a_cluster_that_lost_all_is_rebuilt_on_every_master(
    tansu: Tansu, redis_cluster: Cluster
) -> None:
    async with shop_on(tansu, RedisEndpoint(redis_cluster.url, "a cluster")) as shop:
        start_ms = wall_clock() - 120_000
        log = [
            event(f"e{n}", f"u{n % 400}", f"i{n % 90}", at_ms=start_ms + n) for n in range(3_000)
        ]
        ends = await send(shop, [*log, *log[:200]])
        for master in masters(shop.redis):
            await master.flushall()
            await master.function_flush()

        outcome = await shop.rebuilt(Options(processes=2, ends=ends))

        assert (outcome.events, outcome.ledger["acc"], outcome.ledger["dup"]) == (3_200, 3_000, 200)
        topic = shop.settings.topic(EVENTS)
        recount = await recount_topic(shop.settings.kafka_bootstrap_servers, topic, ends)
        users = await shopper_counts(shop.redis, shop.keys, DEFAULT_SLOTS)
        partials = await item_counts(shop.redis, shop.keys, DEFAULT_SLOTS)
        assert compare(recount, users, partials) == Verdict(3_000, 0, 0, 0, 0)
        found = await counted(shop.redis, shop.keys, DEFAULT_SLOTS)
        assert found.totals == found.items
        assert all([await master.dbsize() > 0 for master in masters(shop.redis)])


async def assert_a_damaged_file_is_named(shop: Shop, ends: dict[int, int]) -> None:
    """Once it is back, going on counts what was left."""
    damaged = max(shop.settings.lake_dir.rglob("*.parquet"), key=lambda path: path.stat().st_size)
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-9])
    options = Options(2, wipe=True, from_lake=True, ends=ends)
    with pytest.raises(Halt, match=damaged.name):
        await rebuild(shop.settings, options, lambda *_: None)
    damaged.write_bytes(whole)
    outcome = await shop.rebuilt(replace(options, wipe=False, resume=True))
    assert outcome.events > 0


async def assert_counted(shop: Shop, expected: Counted) -> None:
    found = await counted(shop.redis, shop.keys, DEFAULT_SLOTS)
    wanted = near(expected.features)
    assert found.features.keys() == wanted.keys()
    for name, held in found.features.items():
        assert held == wanted[name]
    assert any(held[SIGN_INS.name] for held in found.features.values())
    assert found.ids == expected.ids
    assert found.items == expected.items
    assert found.totals == expected.items


def without(before: Counted, shopper: str, theirs: list[Event]) -> Counted:
    lines = Counter(
        (what.tenant, line.item_id, str(what.type)) for what in theirs for line in what.items
    )
    name = f"default:{shopper}"
    return replace(
        before,
        features={key: held for key, held in before.features.items() if key != name},
        ids={key: held for key, held in before.ids.items() if key != name},
        items=dict(Counter(before.items) - lines),
    )


Sent = Event | bytes | None
"""Bytes and null go under a key that is nobody's."""


def made(start_ms: int) -> list[Sent]:
    """Some shoppers, one with more events than are held, and among them all that is refused, sent
    twice or erased, and what is hardly taken. A minute of a shop's time."""
    log: list[Sent] = odd(start_ms)
    for n in range(600):
        kind = EventType.PURCHASE if n % 5 == 2 else EventType.VIEW_ITEM
        both = {"anonymous_id": f"cookie-{n % 7}"} if n % 3 == 0 else {}
        what = event(
            f"e{n}", f"u{n % 40}", f"i{n % 13}", kind=kind, at_ms=start_ms + 100 * n, **both
        )
        log += [what, what] if n % 11 == 0 or n % 40 == 5 else [what]
        if n % 50 == 0:
            long_ago = as_datetime(start_ms - HORIZON_MS) - timedelta(hours=1)
            log += [msgspec.structs.replace(what, event_id=f"late{n}", time=long_ago), b"{"]
        if n == 300:
            log += [event("erase", "u3", kind=EventType.ERASE, at_ms=start_ms + 100 * n)]
            log += [event("before", "u3", at_ms=start_ms - 1000)]
    for n in range(MAX_EVENT_IDS + 5):
        log.append(event(f"g{n}", GREEDY, f"i{n % 13}", at_ms=start_ms + 60_000 + n))
    return log


def odd(start_ms: int) -> list[Sent]:
    """Values that are no events, and events at the bounds of what is one."""
    view = event("odd", "odd", at_ms=start_ms)
    plain = msgspec.json.encode(view)
    full = tuple(Line(f"i{n}", 10**9, 1e12, 10**6) for n in range(MAX_ITEMS))
    basket = msgspec.structs.replace(view, event_id=" ", type=EventType.PURCHASE, items=full)
    too_full = msgspec.structs.replace(basket, items=(*full, *full, *full[:100]))
    strange = msgspec.structs.replace(
        view,
        event_id="\u2764" * MAX_ID_CHARS,
        user_id=None,
        anonymous_id="~",
        items=(Line("../ \U0001f600", 0, 5e-324),),
        context={"\x00": 1e308, "country": "\U0010ffff"},
    )
    on_time = start_ms - HORIZON_MS + 120_000
    oldest = msgspec.structs.replace(view, event_id="oldest", time=as_datetime(on_time))
    return [
        *(None, b"", b"\xff\xfe", b"[]", b"[" * 40_000, b" " * 70_000),
        *(
            plain[:-1],
            plain.replace(b'"odd"', b'"\\ud800"'),
            plain.replace(b'"odd"', b'"a\\u0000"'),
        ),
        msgspec.json.encode(too_full),
        plain,  # an event under another shopper's key
        *(view, basket, strange, oldest),
    ]


async def send(shop: Shop, log: Sequence[Sent]) -> dict[int, int]:
    """Returns the end of each partition that got some."""
    start_ms = wall_clock() - 60_000
    async with producer_for(shop.settings, "test") as producer:
        futures = [
            await producer.send(
                shop.settings.topic(EVENTS),
                msgspec.json.encode(what) if isinstance(what, Event) else what,
                record_key(what.tenant, what.shopper)
                if isinstance(what, Event)
                else b"default:nobody",
                timestamp_ms=start_ms + n,
            )
            for n, what in enumerate(log)
        ]
        places = await asyncio.gather(*futures)
    shop.sent += len(log)
    ends: dict[int, int] = {}
    for place in places:
        ends[place.partition] = max(ends.get(place.partition, 0), place.offset + 1)
    return ends


async def dead_letters(shop: Shop) -> Counter[tuple[str, str]]:
    """(partition, offset) of each letter's record, as its headers tell."""
    found: Counter[tuple[str, str]] = Counter()
    consumer = AIOKafkaConsumer(
        shop.settings.topic(DEAD_LETTERS),
        bootstrap_servers=shop.settings.kafka_bootstrap_servers,
        auto_offset_reset="earliest",
    )
    async with consumer:
        while batches := await consumer.getmany(timeout_ms=1_500):
            for records in batches.values():
                for record in records:
                    told = {name: value.decode() for name, value in record.headers}
                    found[told["millstream.error.partition"], told["millstream.error.offset"]] += 1
    assert found
    return found
