"""What buyers wrote, through insights as a process that is killed twice, to counts and to lists.

What the counts must be is told from the topic of verdicts by a recount of its own."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from redis.asyncio import Redis
from tests.commands import ran
from tests.ending import ends_in_order
from tests.review_models import promote_reviews

from millstream.client import AsyncClient
from millstream.domain.identity import record_key
from millstream.domain.reviews import ReviewCounts, ReviewVerdict, Verdict
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.stores.fences import read_fences
from millstream.stores.keys import Keys
from millstream.stores.redis import DEFAULT_SLOTS, connect
from millstream.stores.review_book import ReviewBook
from millstream.stores.verdict_store import ReviewTotals, review_keys
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import (
    REVIEW_COUNTS,
    REVIEW_LETTERS,
    REVIEW_VERDICTS,
    REVIEWS,
)

PATIENCE_S = 90.0
REVIEWERS = 40
GREAT, AWFUL = "a great lamp", "an awful lamp"


@dataclass
class Shop:
    deployment: Deployment
    redis: Redis
    producer: AIOKafkaProducer
    client: AsyncClient
    said: dict[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> Keys:
        return review_keys(self.deployment.settings.redis_prefix)

    def topic(self, name: str) -> str:
        return self.deployment.settings.topic(name)

    async def insights(self, failpoint: str = "") -> ServiceProcess:
        return await self.deployment.start(
            "insights",
            insights_reviews=True,
            insights_demand=False,
            insights_group=f"{self.deployment.settings.topic_prefix}insights",
            failpoint=failpoint,
        )

    async def promote(self, slant: float = 1.0) -> None:
        await promote_reviews(self.deployment, self.redis, slant)

    def ranking_file(self) -> Path:
        """Also what half of these reviewers like is praised: the first kill left some verdicts that
        are the wrong way round, and those were the first."""
        path = self.deployment.home / "ranking.json"
        path.write_text('{"most_disliked": 0.4, "liked_told": 0.5}')
        return path

    async def counts(self) -> dict[str, tuple[int, int]]:
        """By item (good, bad), from the partial counts themselves."""
        found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for slot in range(DEFAULT_SLOTS):
            key = self.keys.item_partials(slot, "default")
            partials = await cast(Awaitable[dict[bytes, bytes]], self.redis.hgetall(key))
            for name, n in partials.items():
                kind, _, item = name.decode().partition("|")
                found[item][1 - int(kind)] += int(n)
        return {item: (good, bad) for item, (good, bad) in found.items()}

    async def ledger(self) -> Counter[str]:
        places = await partitions_of(self.deployment.settings.brokers, self.topic(REVIEW_VERDICTS))
        tps = [(place.topic, place.partition) for place in places]
        fences = await read_fences(self.redis, self.keys, DEFAULT_SLOTS, tps)
        found: Counter[str] = Counter()
        for partition in fences.partitions.values():
            assert partition.residue in (0, None)
            found.update(partition.ledger or {})
        return found

    async def records(self, name: str) -> list[Any]:
        """All that the topic has now; each partition in the order of its log."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.deployment.settings.kafka_bootstrap_servers, group_id=None
        )
        found: list[Any] = []
        async with consumer:
            places = await partitions_of(self.deployment.settings.brokers, self.topic(name))
            consumer.assign(places)
            await consumer.seek_to_beginning(*places)
            quiet = 0
            while quiet < 3:  # the embedded broker tells too low an end
                batches = await consumer.getmany(timeout_ms=500)
                found += [record for records in batches.values() for record in records]
                quiet = 0 if batches else quiet + 1
        return found

    async def until(self, holds: Callable[[], Awaitable[object]], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not await holds():
            assert asyncio.get_running_loop().time() < deadline, f"{what}: not in {PATIENCE_S} s"
            await asyncio.sleep(0.05)


@pytest.fixture
async def shop(tansu: Tansu, valkey: Valkey) -> AsyncIterator[Shop]:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        redis = connect(valkey.url)
        producer = AIOKafkaProducer(
            bootstrap_servers=tansu.bootstrap_servers, enable_idempotence=False
        )
        client = AsyncClient(
            tansu.bootstrap_servers,
            topic_prefix=deployment.settings.topic_prefix,
            idempotence=False,
        )
        async with producer, client:
            yield Shop(deployment, redis, producer, client)
        await redis.aclose()


async def write(shop: Shop, first: int, last: int) -> None:
    """One of ten dislikes the mug, one of ten likes the pot; every third is sent twice."""
    for number in range(first, last):
        liked, user = number % 10 != 0, f"u-{number}"
        for item, text in (("mug", GREAT if liked else AWFUL), ("pot", AWFUL if liked else GREAT)):
            for _ in range(2 if number % 3 == 0 else 1):
                await shop.client.review(
                    item, user_id=user, text=text, review_id=f"r-{item}-{number}"
                )


def recount(records: list[Any]) -> dict[str, tuple[int, int]]:
    """First verdict of a review wins, in the order of its partition."""
    seen: set[tuple[str, str]] = set()
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for record in sorted(records, key=lambda r: (r.partition, r.offset)):
        said = msgspec.json.decode(record.value, type=ReviewVerdict)
        assert record.key == record_key(said.tenant, said.user)
        if (said.user, said.review_id) not in seen:
            seen.add((said.user, said.review_id))
            found[said.item_id][said.verdict is Verdict.BAD] += 1
    return {item: (good, bad) for item, (good, bad) in found.items()}


async def dead(shop: Shop, process: ServiceProcess) -> None:
    async def has_ended() -> bool:
        return not process.alive

    await shop.until(has_ended, f"{process.name} is killed at its failpoint")
    assert process.exit_code == -9, process.log_tail()


async def require_told(shop: Shop, wanted: dict[str, tuple[int, int]]) -> None:
    """On the topic of counts."""
    told = ReviewBook()

    async def is_told() -> bool:
        for record in await shop.records(REVIEW_COUNTS):
            told.take(record.key, record.value)
        known = {item: told.get("default", item) for item in wanted}
        return all(
            counts is not None and (counts.good, counts.bad) == wanted[item]
            for item, counts in known.items()
        )

    await shop.until(is_told, "the counts are on their topic")


async def require_praise(shop: Shop, wanted: dict[str, tuple[int, int]]) -> None:
    """In a shopper's list, once the counts have come."""
    await shop.deployment.start("recommender", ranking_file=shop.ranking_file())
    # What sells: both are popular, and what most dislike is in no list.
    for number, item in enumerate(("mug", "pot") * 2):
        await shop.client.track("purchase", user_id=f"b-{number}", items=[item])

    async def reason() -> str:
        seen = await shop.client.track("view_item", user_id="ann", items=["other"])
        made = await shop.client.recommendations("ann", after=seen)
        reasons = {item.item_id: item.reason or "" for item in made.items} if made else {}
        assert "pot" not in reasons
        return reasons.get("mug", "")

    share = 100 * wanted["mug"][0] // sum(wanted["mug"])

    async def list_tells_it() -> bool:
        return (await reason()).endswith(f", liked by {share} % of reviewers")

    await shop.until(list_tells_it, "the list says who likes the mug")


async def test_reviews_are_counted_once_through_two_kills_and_a_list_tells_it(shop: Shop) -> None:
    await shop.promote()
    await write(shop, 0, REVIEWERS // 2)
    for bad in (b"{", b'{"review_id": "r"}', b"\xff"):
        await shop.producer.send_and_wait(shop.topic(REVIEWS), bad, b"default:x")
    await dead(shop, await shop.insights("after-verdicts:2"))  # judged, position not moved
    await shop.promote(slant=-1.0)  # what is judged now is judged the other way round
    await dead(shop, await shop.insights("after-verdict-call:1"))  # counted, nothing told
    await shop.promote()
    insights = await shop.insights()
    await write(shop, REVIEWERS // 2, REVIEWERS)

    async def all_counted() -> bool:
        assert insights.alive, insights.log_tail()
        return (await shop.ledger())["acc"] == 2 * REVIEWERS

    await shop.until(all_counted, "every review is counted")
    verdicts = await shop.records(REVIEW_VERDICTS)

    async def all_settled() -> bool:
        ledger = await shop.ledger()
        return sum(ledger[name] for name in ("acc", "dup", "bad")) == len(verdicts)

    await shop.until(all_settled, "every verdict has its fate")
    wanted = recount(verdicts)
    assert await shop.counts() == wanted
    assert sum(map(sum, wanted.values())) == 2 * REVIEWERS
    ledger = await shop.ledger()
    assert ledger["dup"] > 2 * REVIEWERS // 3, "a kill made doubles beside those that were sent"
    assert {letter.value for letter in await shop.records(REVIEW_LETTERS)} == {
        b"{",
        b'{"review_id": "r"}',
        b"\xff",
    }
    await require_told(shop, wanted)
    shown = await ran("fences", "show", "--of", "reviews", "--json", **shop.deployment._variables)
    rows = msgspec.json.decode(shown.out)["partitions"]
    assert sum(row["ledger"]["acc"] for row in rows) == 2 * REVIEWERS, shown.err
    assert {row["watermark"] for row in rows} == {None}
    totals = ReviewTotals(shop.redis, shop.keys, DEFAULT_SLOTS)
    assert await totals.read([("default", "mug")]) == [
        ReviewCounts(tenant="default", item_id="mug", good=wanted["mug"][0], bad=wanted["mug"][1])
    ]
    await require_praise(shop, wanted)


async def test_without_a_model_reviews_wait_and_nothing_of_them_is_lost(shop: Shop) -> None:
    await write(shop, 1, 3)
    waiting = await shop.insights()

    async def waits() -> bool:
        assert waiting.alive, waiting.log_tail()
        return "reviews wait: there is no review model" in waiting.log_tail()

    await shop.until(waits, "insights says that it waits")
    await ends_in_order(waiting)
    assert "lamp" not in waiting.log_tail(), "what somebody wrote is in the log"
    assert await shop.records(REVIEW_VERDICTS) == []
    await shop.promote()
    await shop.insights()

    async def all_counted() -> bool:
        return await shop.counts() == {"mug": (2, 0), "pot": (0, 2)}

    await shop.until(all_counted, "what waited is counted")


async def test_a_mended_letter_counts_once_however_often_it_is_sent(
    shop: Shop, tmp_path: Path
) -> None:
    await shop.promote()
    insights = await shop.insights()
    said = {"review_id": "r-1", "item_id": "{mug}", "user_id": "ann", "text": GREAT}
    bad = msgspec.json.encode({**said, "time": "2026-01-01T00:00:00Z"})
    await shop.producer.send_and_wait(shop.topic(REVIEWS), bad, record_key("default", "ann"))

    async def is_refused() -> bool:
        assert insights.alive, insights.log_tail()
        return bool(await shop.records(REVIEW_LETTERS))

    await shop.until(is_refused, "the review is a letter")
    variables = shop.deployment._variables
    shown = await ran(
        "dead-letters", "show", "--of", "reviews", "--reason", "bad_id", "--body", "--json",
        **variables,
    )  # fmt: skip
    letter = msgspec.json.decode(shown.out)
    assert letter["value"].encode() == bad, shown.err
    mended = tmp_path / "mended.jsonl"
    value = letter["value"].replace("{mug}", "mug")
    mended.write_bytes(msgspec.json.encode({**letter, "value": value}))
    replay = ("dead-letters", "replay", "--of", "reviews", "--from", str(mended), "--yes", "--json")
    for _ in range(2):
        sent = await ran(*replay, **variables)
        assert msgspec.json.decode(sent.out)["sent"] == 1, sent.err

    async def both_settled() -> bool:
        assert insights.alive, insights.log_tail()
        ledger = await shop.ledger()
        return (ledger["acc"], ledger["dup"]) == (1, 1)

    await shop.until(both_settled, "the first counts, the second is a duplicate")
    assert await shop.counts() == {"mug": (1, 0)}
    late = await ran(*replay, "--accept-late", **variables)
    assert (late.code, "no review is ever late" in late.err) == (2, True)
