"""Insights counts verdicts, Redis is wiped, and a rebuild counts what a recount of the topic says;
then insights goes on from there."""

from __future__ import annotations

import asyncio

from tests.flow.test_reviews import (
    GREAT,
    REVIEWERS,
    Shop,
    recount,
    require_told,
    shop,
    write,
)

from millstream.local.deployment import ServiceProcess
from millstream.rebuild.ready import prepare_redis
from millstream.rebuild.reviews import ReviewsOutcome, rebuild_reviews
from millstream.rebuild.spans import Options
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import load
from millstream.stores.keys import Keys
from millstream.stores.lake import offsets
from millstream.streaming.topics import REVIEW_VERDICTS

__all__ = ["shop"]  # a fixture

UNTOLD: dict[int, int] = {}
"""The embedded broker can't tell who is in a group."""


def settings_of(shop: Shop) -> RecommenderSettings:
    return load(RecommenderSettings, **shop.deployment.settings.model_dump())


async def rebuilt(shop: Shop, options: Options) -> ReviewsOutcome:
    outcome = await rebuild_reviews(settings_of(shop), "not looked at", options)
    assert outcome is not None
    assert outcome.residue == 0
    return outcome


async def wiped(shop: Shop) -> None:
    settings = shop.deployment.settings
    async for key in shop.redis.scan_iter(f"{settings.redis_prefix}*", count=1000):
        await shop.redis.unlink(key)
    await prepare_redis(shop.redis, Keys(settings.redis_prefix), reset=False, resume=False)


async def settled(shop: Shop, running: ServiceProcess, verdicts: int) -> None:
    """So many verdicts have their fate, and the lake has them."""
    lake, topic = shop.deployment.settings.lake_dir, shop.topic(REVIEW_VERDICTS)

    async def all_settled() -> bool:
        assert running.alive, running.log_tail()
        ledger = await shop.ledger()
        stored = sum(offsets(lake, topic).values())
        return sum(ledger[fate] for fate in ("acc", "dup", "bad")) == verdicts == stored

    await shop.until(all_settled, f"{verdicts} verdicts are counted, and in the lake")


async def stopped(shop: Shop, *services: ServiceProcess) -> None:
    for process in services:
        await asyncio.to_thread(process.stop)
        shop.deployment._services.remove(process)


async def test_what_is_rebuilt_is_what_a_recount_says(shop: Shop) -> None:
    await shop.promote()
    insights = await shop.insights()
    lake = await shop.deployment.start("lake", lake_flush_seconds=0.2)
    await write(shop, 0, REVIEWERS)
    again = REVIEWERS // 2
    sent = 2 * (REVIEWERS + (REVIEWERS + 2) // 3)
    await settled(shop, insights, sent)
    await shop.promote(slant=-1.0)  # second verdicts say the opposite, and do not count

    async def is_judged_otherwise() -> bool:
        nonlocal sent
        await shop.client.review("probe", user_id="p", text=GREAT, review_id=f"p-{sent}")
        sent += 1
        await settled(shop, insights, sent)
        return (await shop.counts())["probe"][1] > 0

    await shop.until(is_judged_otherwise, "the other model judges")
    for number in range(again):
        await shop.client.review(
            "mug", user_id=f"u-{number}", text=GREAT, review_id=f"r-mug-{number}"
        )
    sent += again
    await settled(shop, insights, sent)
    await stopped(shop, insights, lake)
    wanted = recount(await shop.records(REVIEW_VERDICTS))
    ledger = await shop.ledger()
    assert await shop.counts() == wanted
    assert wanted["mug"] == (REVIEWERS - REVIEWERS // 10, REVIEWERS // 10)

    await wiped(shop)
    assert await shop.counts() == {}
    outcome = await rebuilt(shop, Options(from_lake=True))
    assert (outcome.verdicts, outcome.from_lake, outcome.items) == (sent, sent, len(wanted))
    assert await shop.counts() == wanted
    assert await shop.ledger() == ledger
    assert (await rebuilt(shop, Options(from_lake=True))).verdicts == 0, "nothing counts twice"
    assert await shop.counts() == wanted

    insights = await shop.insights()  # a wipe took the model's pointer, and it needs none to tell
    await require_told(shop, wanted)
    await stopped(shop, insights)

    outcome = await rebuilt(shop, Options(wipe=True, ends=UNTOLD))
    assert outcome.from_lake == 0, "the log has them all"
    await shop.promote()
    insights = await shop.insights()  # the embedded broker tells too low an end: it goes on

    async def all_again() -> bool:
        assert insights.alive, insights.log_tail()
        return await shop.ledger() == ledger

    await shop.until(all_again, "insights counted what was left")
    assert await shop.counts() == wanted


async def test_where_nothing_was_judged_there_is_nothing_to_count(shop: Shop) -> None:
    options = Options(from_lake=True)
    assert await rebuild_reviews(settings_of(shop), "not looked at", options) is None
