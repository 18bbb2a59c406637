"""The demo's reviews on a shop of a few purchases: trained, judged, counted, recounted, told."""

from __future__ import annotations

import asyncio

import pytest
from tests.builders import event

from millstream.client import AsyncClient
from millstream.domain.clock import wall_clock
from millstream.domain.events import EventType
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import deployed
from millstream.local.list_follower import follow_lists, lists_consumer
from millstream.local.reviewing import (
    OF_EACH,
    TWICE_EVERY,
    OwnLists,
    review,
    selling,
    train_made_up,
)
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.streaming.topics import RECOMMENDATIONS

TENANT = "default"
pytestmark = pytest.mark.timeout(150)


async def test_made_up_reviews_are_counted_once_and_a_list_tells_of_them(
    tansu: Tansu, valkey: Valkey
) -> None:
    now = wall_clock()
    bought = [
        event(f"e{n}", f"b{n}", item, kind=EventType.PURCHASE, at_ms=now)
        for n, item in enumerate(["mug", "pot", "lamp"] * 3)
    ]
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        settings = deployment.settings
        await deployment.start("recommender")
        client = AsyncClient(
            tansu.bootstrap_servers, topic_prefix=settings.topic_prefix, idempotence=False
        )
        async with client:
            for one in bought:
                await client.track(one.type, user_id=one.user_id, items=one.items)
        insights = await deployment.start("insights", insights_reviews=True, insights_demand=False)
        await train_made_up(deployment, TENANT)
        lists, topic = OwnLists(), settings.topic(RECOMMENDATIONS)
        async with lists_consumer(settings.brokers, topic) as consumer:
            following = asyncio.create_task(follow_lists(consumer, lists.listed))
            shop = selling(bought, frozenset())
            reviewed = await review(deployment, TENANT, shop, lists)
            following.cancel()
            await asyncio.wait([following])
        reviews = 3 * OF_EACH
        assert reviewed.judged == reviews + -(-reviews // TWICE_EVERY), insights.log_tail()
        assert reviewed.counted == reviews
        assert (reviewed.lost, reviewed.doubled) == (0, 0)
        assert reviewed.reason.endswith("% of reviewers")
