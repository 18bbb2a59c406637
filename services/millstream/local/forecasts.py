"""Insights at the end of a run: its first look at the lake, waited for and counted."""

from __future__ import annotations

import asyncio
import time

from millstream.domain.errors import OperatorError
from millstream.local.deployment import Deployment
from millstream.stores.demand_book import DemandBook
from millstream.streaming.followers import follow, read_to_its_end
from millstream.streaming.topics import DEMAND

TOLD = "demand told"
"""What insights says in its log when a turn is over."""
TURN_S = 120.0
READ_S = 30.0
POLL_S = 0.2


async def forecasts_told(deployment: Deployment, tenant: str, *, reviews: bool = False) -> int:
    """Starts insights, which goes on, and with `reviews` judges them too; returns for how many
    items a forecast stands on the topic after its first turn. Raises OperatorError where it ends by
    itself or takes over TURN_S."""
    insights = await deployment.start("insights", tenant=tenant, insights_reviews=reviews)
    deadline = time.monotonic() + TURN_S
    while not await asyncio.to_thread(insights.said, TOLD):
        deployment.raise_dead()
        if time.monotonic() > deadline:
            raise OperatorError(insights.name, f"no forecast in {TURN_S:g} s", "some")
        await asyncio.sleep(POLL_S)
    settings, book = deployment.settings, DemandBook()
    topic = settings.topic(DEMAND)
    follower = follow(settings.brokers, topic, lambda record: book.take(record.key, record.value))
    await read_to_its_end(follower, settings.brokers, topic, READ_S, "the forecasts")
    await follower.close()
    return len(book.items(tenant))
