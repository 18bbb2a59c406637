"""Track and recommendations over the embedded broker, with a recommender in a few lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from millstream.client import (
    AsyncClient,
    Client,
    Event,
    EventType,
    InvalidEvent,
    Line,
    Pseudonyms,
    RankedItem,
    RecommendationList,
)
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.decode import decode
from millstream.domain.identity import record_key
from millstream.domain.lists import Origin, Source, recommendation_id
from millstream.domain.log import SENT_AT
from millstream.domain.pseudonyms import KEY_BYTES
from millstream.domain.reviews import decode_review
from millstream.local.tansu import Tansu
from millstream.streaming.producer import open_producer
from millstream.streaming.topic_admin import create_topics
from millstream.streaming.topics import EVENTS, RECOMMENDATIONS, REVIEWS, read_topics

WITHIN_S = 20.0


@pytest.fixture
async def topics(tansu: Tansu, prefix: str) -> str:
    await create_topics(tansu.bootstrap_servers, read_topics(), prefix=prefix)
    return prefix


def answer(event: Event, partition: int, offset: int, item: str = "i-2") -> RecommendationList:
    origin = Origin(EVENTS, partition, offset)
    now = as_datetime(wall_clock())
    return RecommendationList(
        recommendation_id=recommendation_id(event.tenant, event.shopper, origin),
        tenant=event.tenant,
        user=event.shopper,
        variant="a",
        items=(RankedItem(item, 0.5, Source.POPULAR, "popular today"),),
        model_version="m1",
        settings_digest="d",
        origin=origin,
        event_time=event.time,
        log_time=now,
        published_at=now,
    )


async def publish(producer: AIOKafkaProducer, prefix: str, given: RecommendationList) -> None:
    await producer.send_and_wait(
        f"{prefix}{RECOMMENDATIONS}",
        msgspec.json.encode(given),
        record_key(given.tenant, given.user),
    )


@asynccontextmanager
async def recommender(tansu: Tansu, prefix: str) -> AsyncIterator[list[ConsumerRecord]]:
    """Answers every event with a list; yields the records it has read."""
    seen: list[ConsumerRecord] = []
    consumer = AIOKafkaConsumer(
        f"{prefix}{EVENTS}",
        bootstrap_servers=tansu.bootstrap_servers,
        auto_offset_reset="earliest",
        group_id=None,
    )
    async with (
        consumer,
        open_producer(tansu.bootstrap_servers, client_id="t", idempotence=False) as producer,
    ):

        async def serve() -> None:
            async for record in consumer:
                seen.append(record)
                event = decode(record.value, record.headers, record.timestamp)
                await publish(producer, prefix, answer(event, record.partition, record.offset))

        task = asyncio.create_task(serve())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.wait([task])


async def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, f"{what} within {WITHIN_S} s"
        await asyncio.sleep(0.02)


async def test_an_event_goes_out_and_its_list_comes_back(tansu: Tansu, topics: str) -> None:
    async with (
        recommender(tansu, topics) as seen,
        AsyncClient(tansu.bootstrap_servers, "shop", topics, idempotence=False) as client,
    ):
        before = wall_clock()
        event = await client.track(
            "view_item", user_id="u-1", items=[Line("i-1", price=2.5)], currency="EUR"
        )
        after = wall_clock()
        found = await client.recommendations(event.shopper, after=event, timeout=WITHIN_S)
        assert found is not None
        assert (found.user, found.items[0].item_id) == ("u-1", "i-2")

        (record,) = seen
        assert record.key == b"shop:u-1"
        assert (record.partition, record.offset) == (found.origin.partition, found.origin.offset)
        assert decode(record.value, record.headers, record.timestamp) == event
        assert before <= int(dict(record.headers)[SENT_AT]) <= after
        assert before <= record.timestamp <= after

        later = await client.track("view_item", user_id="u-1", items=["i-3"])
        newer = await client.recommendations("u-1", after=later, timeout=WITHIN_S)
        assert newer is not None
        assert newer.freshness > found.freshness
        assert newer == await client.recommendations("u-1")


async def test_lists_from_before_are_there_and_the_newest_wins(tansu: Tansu, topics: str) -> None:
    """More lists than one fetch brings, so that an answer before the end would be a wrong one."""
    event = Event(
        event_id="e", type=EventType.VIEW_ITEM, time=as_datetime(wall_clock()), user_id="u-7"
    )
    count = 3000
    async with open_producer(tansu.bootstrap_servers, client_id="t", idempotence=False) as producer:
        for number in range(count):
            given = answer(event, 0, number, f"i-{number}")
            await producer.send(
                f"{topics}{RECOMMENDATIONS}", msgspec.json.encode(given), b"default:u-7"
            )
        await producer.flush()
        old = msgspec.structs.replace(answer(event, 0, 5), log_time=as_datetime(1))
        await publish(producer, topics, old)
        await publish(producer, topics, msgspec.structs.replace(old, tenant="other"))
    async with AsyncClient(tansu.bootstrap_servers, "default", topics, False) as client:
        found = await client.recommendations("u-7", timeout=WITHIN_S)
        assert found is not None
        assert found.items[0].item_id == f"i-{count - 1}"
        assert await client.recommendations("nobody") is None


async def test_no_list_in_time_is_none_and_an_unread_topic_a_timeout(
    tansu: Tansu, topics: str
) -> None:
    async with AsyncClient(tansu.bootstrap_servers, "default", topics, False) as client:
        event = await client.track("view_item", anonymous_id="a", items=["i"])
        with pytest.raises(TimeoutError, match="not all been read"):
            await client.recommendations(event.shopper, timeout=0)
        await client.recommendations(event.shopper, timeout=WITHIN_S)
        assert await client.recommendations(event.shopper, after=event, timeout=0.3) is None


async def test_nothing_bad_leaves_the_client(tansu: Tansu, topics: str) -> None:
    async with (
        recommender(tansu, topics) as seen,
        AsyncClient(tansu.bootstrap_servers, "default", topics, False) as client,
    ):
        with pytest.raises(InvalidEvent):
            await client.track("view_item", user_id="{", items=["i"])
        with pytest.raises(InvalidEvent):
            client.track_nowait("bought", user_id="u", items=["i"])
        good = await client.track("view_item", user_id="u", items=["i"])
        await eventually(lambda: len(seen) > 0, "the good event did not arrive")
        assert [decode(record.value, (), record.timestamp) for record in seen] == [good]


async def test_events_not_waited_for_arrive_in_order(tansu: Tansu, topics: str) -> None:
    async with recommender(tansu, topics) as seen:
        async with AsyncClient(tansu.bootstrap_servers, "default", topics, False) as client:
            sent = [
                client.track_nowait("view_item", user_id="u", items=[f"i-{number}"])
                for number in range(500)
            ]
            await client.flush()
        await eventually(lambda: len(seen) >= len(sent), "not all 500 events arrived")
    assert [decode(record.value, (), record.timestamp) for record in seen] == sent


async def test_the_blocking_client_does_the_same(tansu: Tansu, topics: str) -> None:
    def shop() -> tuple[Event, RecommendationList | None]:
        with Client(tansu.bootstrap_servers, "default", topics, False) as client:
            client.track_nowait("view_item", user_id="u", items=["i-0"])
            client.flush()
            event = client.track("view_item", user_id="u", items=["i-1"])
            with pytest.raises(InvalidEvent):
                client.track("view_item", items=["i-1"])
            return event, client.recommendations("u", after=event, timeout=WITHIN_S)

    async with recommender(tansu, topics) as seen:
        event, found = await asyncio.to_thread(shop)
        assert found is not None
        assert found.event_time == event.time
        assert len(seen) == 2


async def test_with_pseudonyms_the_raw_id_stays_on_this_side(tansu: Tansu, topics: str) -> None:
    ours = Pseudonyms(b"k" * KEY_BYTES, "default")

    def shop() -> tuple[Event, RecommendationList | None]:
        servers = tansu.bootstrap_servers
        with Client(servers, "default", topics, False, pseudonyms=ours) as client:
            event = client.track("view_item", user_id="raw-17850", items=["i-1"])
            found = client.recommendations(event.shopper, after=event, timeout=WITHIN_S)
            assert client.recommendations("raw-17850") == found
            assert client.recommendations(ours.shopper("raw-17850")) is None
            return event, found

    async with recommender(tansu, topics) as seen:
        event, found = await asyncio.to_thread(shop)
    assert found is not None
    assert event.shopper == found.user == "raw-17850"
    (record,) = seen
    assert record.key == record_key("default", ours.shopper("raw-17850"))
    assert decode(record.value, record.headers, record.timestamp) == ours.event(event)
    assert b"17850" not in (record.key or b"") + (record.value or b"")


def test_a_client_that_is_not_open_says_so() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        Client("127.0.0.1:1").track("view_item", user_id="u", items=["i"])
    with pytest.raises(ValueError, match="str"):
        Client("127.0.0.1:1", tenant="Shop")


async def test_a_review_is_on_its_topic_under_pseudonyms(tansu: Tansu, topics: str) -> None:
    pseudonyms = Pseudonyms(b"k" * KEY_BYTES, "shop")
    client = AsyncClient(
        tansu.bootstrap_servers, "shop", topics, idempotence=False, pseudonyms=pseudonyms
    )
    async with client:
        said = await client.review("mug", user_id="ann", text="ann likes it", rating=5)
        with pytest.raises(InvalidEvent, match="missing_field"):
            await client.review("mug", user_id="ann")
    assert (said.user_id, said.text) == ("ann", "ann likes it")
    consumer = AIOKafkaConsumer(
        f"{topics}{REVIEWS}",
        bootstrap_servers=tansu.bootstrap_servers,
        auto_offset_reset="earliest",
        group_id=None,
    )
    async with asyncio.timeout(WITHIN_S), consumer:
        record = await consumer.getone()
    assert record.key == record_key("shop", pseudonyms.shopper("ann"))
    assert b"ann" not in record.value
    sent = decode_review(record.value, record.timestamp)
    assert (sent.shopper, sent.text) == (pseudonyms.shopper("ann"), "* likes it")
    assert sent.review_id != said.review_id


async def test_a_review_goes_nowhere_in_a_dry_run() -> None:
    async with AsyncClient("127.0.0.1:1", "shop", dry_run=True) as client:
        assert (await client.review("mug", user_id="ann", text="fine")).item_id == "mug"
