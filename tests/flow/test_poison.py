"""A record that kills whoever decodes it: after three starts in vain it is set apart, and all else
counts once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from redis.asyncio import Redis
from tests.builders import event, record
from tests.commands import ran_as_users_do
from tests.flow.recounted import assert_exact, fences_of, ledger_of

from millstream.domain.clock import wall_clock
from millstream.domain.failpoints import POISON
from millstream.domain.identity import record_key
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.recommender.quarantine import MOST_STARTS
from millstream.stores.redis import connect
from millstream.streaming.dead_letters import PREFIX
from millstream.streaming.topics import EVENTS
from millstream.streaming.trial import poison_among

PATIENCE_S = 60.0
SHOPPERS = 8
SESSION_S = 6
"""As short as may be: a start waits for half of it here."""


@dataclass
class Shop:
    deployment: Deployment
    producer: AIOKafkaProducer
    redis: Redis
    ends: Counter[int] = field(default_factory=Counter)
    poison: dict[tuple[int, int], bytes] = field(default_factory=dict)
    starts: int = 0

    @property
    def topic(self) -> str:
        return self.deployment.settings.topic(EVENTS)

    async def send(self, n: int) -> None:
        for _ in range(n):
            number = self.ends.total()
            what = event(f"e{number}", f"u{number % SHOPPERS}", "i", at_ms=wall_clock())
            await self._send(what.shopper, msgspec.json.encode(what))

    async def send_poison(self, user: str) -> None:
        what = event(f"poison{len(self.poison)}", user, POISON.decode(), at_ms=wall_clock())
        value = msgspec.json.encode(what)
        self.poison[await self._send(user, value)] = value

    async def _send(self, user: str, value: bytes) -> tuple[int, int]:
        at = await self.producer.send_and_wait(self.topic, value, record_key("default", user))
        self.ends[at.partition] = at.offset + 1
        return at.partition, at.offset

    async def start(self) -> ServiceProcess:
        """In a group of its own: a broker keeps the partitions of a member that died for a session,
        and where to go on is told by Redis."""
        self.starts += 1
        return await self.deployment.start(
            "recommender", failpoint="poison", group=f"g{self.starts}"
        )

    async def residues(self) -> set[int | None]:
        fences = await fences_of(self.deployment, self.redis, self.ends)
        return {found.residue for found in fences.partitions.values()}

    async def ledger(self) -> Counter[str]:
        return await ledger_of(self.deployment, self.redis, self.ends)


@pytest.fixture
async def shop(tansu: Tansu, valkey: Valkey) -> AsyncIterator[Shop]:
    servers = tansu.bootstrap_servers
    kafka = KafkaEndpoint(servers, tansu.name, False, SESSION_S)
    redis = connect(valkey.url)
    async with (
        deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment,
        AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=False) as producer,
    ):
        yield Shop(deployment, producer, redis)
    await redis.aclose()


async def died(process: ServiceProcess) -> int | None:
    """The exit code."""
    async with asyncio.timeout(PATIENCE_S):
        while process.alive:  # noqa: ASYNC110  told by the system
            await asyncio.sleep(0.05)
    return process.exit_code


async def all_counted(shop: Shop, process: ServiceProcess) -> bool:
    """False where it died of the next poison first."""
    async with asyncio.timeout(PATIENCE_S):
        while (await shop.ledger()).total() < shop.ends.total():
            if not process.alive:
                assert process.exit_code == -signal.SIGKILL, process.log_tail()
                return False
            await asyncio.sleep(0.1)
    return True


async def assert_conserved(shop: Shop) -> None:
    """Once the idle slots have come along, which takes seconds."""
    async with asyncio.timeout(PATIENCE_S):
        while None in (residues := await shop.residues()):  # noqa: ASYNC110  told by Redis
            await asyncio.sleep(0.1)
    assert residues == {0}


async def letters(shop: Shop, wanted: int) -> dict[tuple[int, int], bytes]:
    """By the place of the record; a letter may be there twice."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=shop.deployment.kafka.bootstrap_servers,
        auto_offset_reset="earliest",
    )
    topic = f"{shop.topic}.dlq"
    found: dict[tuple[int, int], bytes] = {}
    async with consumer, asyncio.timeout(PATIENCE_S):
        numbers = consumer.partitions_for_topic(topic) or range(12)
        consumer.assign([TopicPartition(topic, number) for number in numbers])
        while len(found) < wanted:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                for letter in batch:
                    told = {n.removeprefix(PREFIX): held for n, held in letter.headers}
                    assert told["reason"] == b"poison"
                    found[int(told["partition"]), int(told["offset"])] = letter.value
    return found


async def test_a_record_that_kills_is_set_apart_and_all_else_counts_once(shop: Shop) -> None:
    await shop.send(60)
    await shop.send_poison("u1")
    await shop.send_poison("u1")
    await shop.send(60)
    await shop.send_poison("u6")
    await shop.send(20)
    for number in range(MOST_STARTS):
        assert await died(await shop.start()) == -signal.SIGKILL, f"start {number}"
    assert (await shop.ledger())["bad"] == 0, "nobody is suspected yet"
    for _ in range(MOST_STARTS * len(shop.poison)):
        process = await shop.start()
        if await all_counted(shop, process):
            break
    else:
        pytest.fail(f"died at each of {shop.starts} starts")
    await assert_exact(shop.deployment, shop.redis, shop.ends, shop.poison)
    await assert_conserved(shop)
    assert await letters(shop, len(shop.poison)) == shop.poison, "the bytes as they came"
    said = process.log_path.read_text()
    assert "a record that kills is set apart" in said
    assert POISON.decode() not in said

    await shop.send(40)  # it goes on, and so does the next one
    assert await all_counted(shop, process)
    os.kill(process.pid, signal.SIGTERM)
    assert await died(process) == 0, process.log_tail()
    process = await shop.start()
    await shop.send(40)
    assert await all_counted(shop, process)
    await assert_exact(shop.deployment, shop.redis, shop.ends, shop.poison)


async def test_a_rebuild_sets_it_apart_when_it_is_run_again(shop: Shop) -> None:
    await shop.send(60)
    await shop.send_poison("u1")
    await shop.send_poison("u6")
    await shop.send(60)
    code, told = await rebuilt(shop)
    assert (code, "a record that kills" in told) == (2, True), told
    for _ in range(len(shop.poison)):
        code, told = await rebuilt(shop, "--resume")
        if code == 0:
            break
    assert code == 0, told
    await assert_exact(shop.deployment, shop.redis, shop.ends, shop.poison)
    await assert_conserved(shop)
    assert await letters(shop, len(shop.poison)) == shop.poison, "the bytes as they came"


async def rebuilt(shop: Shop, *words: str) -> tuple[int, str]:
    """The exit code of `millstream rebuild`, and what it told."""
    variables = {**shop.deployment._variables, "MILLSTREAM_FAILPOINT": "poison"}
    done = await ran_as_users_do("rebuild", "--json", *words, **variables)
    return done.code, done.err


@pytest.mark.parametrize("places", [{0}, {9}, {3, 4}, set(range(10)), set()])
async def test_the_trial_finds_each_record_that_kills(
    monkeypatch: pytest.MonkeyPatch, places: set[int]
) -> None:
    monkeypatch.setenv("MILLSTREAM_FAILPOINT", "poison")
    bodies = [
        b'{"poison":"' + POISON + b'"}' if number in places else json.dumps({"n": number}).encode()
        for number in range(10)
    ]
    records = [record(body, 100 + number) for number, body in enumerate(bodies)]
    found = await poison_among(records, [Ed25519PrivateKey.generate().public_key()])
    assert found == {100 + number for number in places}
