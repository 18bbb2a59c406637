"""A list says where it comes from, and is durable before the position moves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.builders import NOON_MS, TOPIC, arrival, event
from tests.unit.recommender.conftest import MemoryProducer, turns

from millstream.domain.clock import as_datetime
from millstream.domain.lists import Origin, RankedItem, Source, recommendation_id
from millstream.recommender.publish import Draft, Publisher, Topics

ITEMS = (RankedItem("a", 0.5, Source.POPULAR, "bought often"),)


async def publish(publisher: Publisher, drafts: Sequence[Draft]) -> None:
    await (await publisher.send(drafts)).durable()


@pytest.fixture
def publisher(producer: MemoryProducer) -> Publisher:
    return Publisher(producer, Topics(TOPIC, "lists"), lambda: NOON_MS + 7)


def draft(offset: int = 4, *, erased: bool = False) -> Draft:
    headers = (("trace", b"x"), ("sent_at", b"17"))
    made = arrival(event("e1", "ann"), offset, NOON_MS + 5, headers, partition=3)
    name = ("default", "ann")
    if erased:
        return Draft.tombstone(name, made)
    return Draft(name, made, ITEMS, "embedding-v2", "variant", "digest")


async def test_a_list_carries_its_provenance(
    producer: MemoryProducer, publisher: Publisher
) -> None:
    await publish(publisher, [draft()])
    (sent,) = producer.sent
    assert (sent.topic, sent.key, sent.headers) == ("lists", b"default:ann", (("sent_at", b"17"),))
    made = sent.made
    assert (made.tenant, made.user, made.items) == ("default", "ann", ITEMS)
    assert made.origin == Origin(TOPIC, 3, 4)
    assert (made.variant, made.model_version, made.settings_digest) == (
        "variant",
        "embedding-v2",
        "digest",
    )
    assert (made.event_time, made.log_time, made.published_at) == (
        as_datetime(NOON_MS),
        as_datetime(NOON_MS + 5),
        as_datetime(NOON_MS + 7),
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([b"x" * 2_000_000, b"17"], [b"17"]),
        ([b"1" * 17, None, b"-3", b""], []),
        ([b"17", b"18"], [b"17"]),
    ],
)
async def test_of_the_headers_only_one_time_is_copied(
    producer: MemoryProducer,
    publisher: Publisher,
    given: list[bytes | None],
    kept: list[bytes],
) -> None:
    headers = [("sent_at", content) for content in given]
    made = arrival(event("e1", "ann"), 4, NOON_MS, headers)
    await publish(publisher, [Draft(("default", "ann"), made, ITEMS, "embedding-v2", "v", "d")])
    (sent,) = producer.sent
    assert sent.headers == tuple(("sent_at", content) for content in kept)


async def test_the_same_event_gives_the_same_id(
    producer: MemoryProducer, publisher: Publisher
) -> None:
    await publish(publisher, [draft()])
    await publish(publisher, [draft()])
    await publish(publisher, [draft(5)])
    first, again, other = (sent.made.recommendation_id for sent in producer.sent)
    assert first == again == recommendation_id("default", "ann", Origin(TOPIC, 3, 4)) != other


async def test_who_was_erased_gets_a_tombstone(
    producer: MemoryProducer, publisher: Publisher
) -> None:
    await publish(publisher, [draft(erased=True)])
    (sent,) = producer.sent
    assert (sent.key, sent.value) == (b"default:ann", None)


async def test_it_returns_when_every_list_is_durable(
    producer: MemoryProducer, publisher: Publisher
) -> None:
    producer.holding = True
    publishing = asyncio.create_task(publish(publisher, [draft(4), draft(5)]))
    await turns(5)
    assert len(producer.waiting) == 2
    producer.waiting[0].set_result(None)
    await turns(5)
    assert not publishing.done()
    producer.waiting[1].set_result(None)
    await publishing


async def test_a_list_that_did_not_leave_is_told(
    producer: MemoryProducer, publisher: Publisher
) -> None:
    producer.failure = ConnectionError()
    with pytest.raises(ConnectionError):
        await publish(publisher, [draft()])
