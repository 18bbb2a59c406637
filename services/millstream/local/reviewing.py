"""Made-up reviews at the end of a run: judged by a model trained on made-up ones, counted,
recounted from the topic of verdicts, and told in a list.

1. A review model is trained, put before its gate, signed and made current.
2. Reviews of what sells best go out, some of them twice; insights judges and counts.
3. The counts are compared with a recount of the verdicts.
4. A shopper of our own looks around until a list says who likes what."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random

import numpy as np

from millstream.client import AsyncClient
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event, EventType
from millstream.domain.lists import RecommendationList
from millstream.domain.models import Decision
from millstream.local.deployment import Deployment
from millstream.local.fetched_ends import fetched_ends
from millstream.local.made_reviews import made_up, made_up_labelled
from millstream.local.recount import differences, read_values
from millstream.model.registry import Registry
from millstream.model.sentiment.manifest import MODEL, ReviewKind
from millstream.model.signing import load_private_key
from millstream.stores.fences import LEDGER, read_fences
from millstream.stores.inventory import verdict_counts
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected, read_slots
from millstream.stores.verdict_store import review_keys
from millstream.streaming.offload import offload
from millstream.streaming.producer import producer_for
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import MODELS, REVIEW_VERDICTS

SEED = 20_101_201
LEARNT = 1_200
REVIEWED = 12
"""Items, so many of those that sell best."""
OF_EACH = 34
TWICE_EVERY = 8
NEWEST = 4_000
"""Steps of the recording by which it is told what sells."""
SHOPPER = "made-up-shopper"
PRAISE = "% of reviewers"
"""In the reason of an item that reviewers like (ranking/liking.py)."""
COUNTED_S = 90.0
TOLD_S = 30.0
POLL_S = 0.2
LOOK_S = 1.0
AT_ONCE = 100

Verdicts = Counter[tuple[str, str, str]]
"""(tenant, item, verdict)."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """`judged`: verdicts on the topic, more than reviews where one was sent twice; `reason`: of the
    first item in a list that tells what reviewers think, empty where none did."""

    judged: int
    counted: int
    lost: int
    doubled: int
    reason: str


class OwnLists:
    """Implements replay.Listener: the newest list of SHOPPER."""

    def __init__(self) -> None:
        self.newest: RecommendationList | None = None

    def catalogued(self, item: CatalogueItem) -> None: ...

    def before(self, event: Event) -> None: ...

    def listed(self, ranked: RecommendationList) -> None:
        if ranked.user == SHOPPER:
            self.newest = ranked

    @property
    def reason(self) -> str:
        items = self.newest.items if self.newest is not None else ()
        return next((one.reason for one in items if one.reason and PRAISE in one.reason), "")


@dataclass(frozen=True, slots=True)
class Selling:
    """What a recording ends with: the items that were bought most lately, and when that was."""

    items: Sequence[str]
    now_ms: int


def selling(stream: Iterable[CatalogueItem | Event], left_out: frozenset[str]) -> Selling:
    events = [step for step in stream if isinstance(step, Event)]
    bought = Counter(
        line.item_id
        for event in events[-NEWEST:]
        if event.type is EventType.PURCHASE
        for line in event.items
        if line.item_id not in left_out
    )
    items = [item for item, _ in bought.most_common(REVIEWED)]
    return Selling(items, max(event.time_ms for event in events))


async def train_made_up(deployment: Deployment, tenant: str) -> None:
    """A version of the review model that may serve. Raises OperatorError where the gate says no."""
    # Takes seconds to import, and a run without reviews does without.
    from millstream.trainer.outlet import Outlet
    from millstream.trainer.sentiment.compare import ReviewGateRule
    from millstream.trainer.sentiment.fits import fit_of
    from millstream.trainer.sentiment.pipeline import (
        Collected,
        ReviewTools,
        train_review_version,
    )

    settings = deployment.settings
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        producer = await stack.enter_async_context(producer_for(settings, "millstream-trainer"))
        fit, digest = await offload(lambda: fit_of(ReviewKind.LINEAR, SEED, lambda _: None))
        outlet = Outlet(
            name=(tenant, MODEL),
            registry=Registry(settings.model_store),
            key=load_private_key(settings.keys_dir),
            pointer=RedisModelPointer(redis, Keys(settings.redis_prefix)),
            producer=producer,
            topic=settings.topic(MODELS),
            keep=2,
        )
        tools = ReviewTools(fit, digest, SEED, ReviewGateRule(), outlet, wall_clock)
        learnt = Collected(made_up_labelled(LEARNT, SEED))
        _, announced = await train_review_version(learnt, tools)
    if announced.decision is not Decision.PROMOTED:
        raise OperatorError("the review model", announced.verdict, "one that may serve")


async def review(deployment: Deployment, tenant: str, shop: Selling, lists: OwnLists) -> Reviewed:
    """Insights and a recommender are at work, and a review model is current. Raises OperatorError
    where not all is counted in COUNTED_S."""
    settings = deployment.settings
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        client = await stack.enter_async_context(
            AsyncClient(
                settings.kafka_bootstrap_servers,
                tenant,
                settings.topic_prefix,
                settings.kafka_idempotence,
                clock=wall_clock,
            )
        )
        sent, reviews = await _send(client, shop.items)
        slots = await read_slots(redis, Keys(settings.redis_prefix))
        keys, topic = review_keys(settings.redis_prefix), settings.topic(REVIEW_VERDICTS)
        places = await partitions_of(settings.brokers, topic)
        sources = [(place.topic, place.partition) for place in places]

        async def all_have_their_fate() -> bool:
            found = (await read_fences(redis, keys, slots, sources)).partitions.values()
            return sum((at.ledger or {}).get(fate, 0) for at in found for fate in LEDGER) >= sent

        await _until(deployment, all_have_their_fate, f"a verdict on each of {sent} reviews")
        judged, wanted = await _recount(deployment, topic)
        stored = await verdict_counts(redis, keys, slots)
    missing, doubled = differences(wanted, stored)
    lost = missing + max(0, reviews - sum(wanted.values()))
    reason = await _told(deployment, tenant, shop, lists)
    return Reviewed(judged, sum(stored.values()), lost, doubled, reason)


async def _send(client: AsyncClient, items: Sequence[str]) -> tuple[int, int]:
    """How many went out, and how many different ones there are among them."""
    random, said = Random(SEED + 1), []  # noqa: S311  nothing secret
    for item, liked in zip(items, np.linspace(0.98, 0.6, len(items)).tolist(), strict=True):
        for number in range(OF_EACH):
            one = made_up(random, liked)
            fields = {"user_id": f"made-up-{number}", "review_id": f"made-up-{item}-{number}"}
            said.append((item, {**fields, "title": one.title, "text": one.text}))
    twice = [*said, *said[::TWICE_EVERY]]
    for start in range(0, len(twice), AT_ONCE):
        part = twice[start : start + AT_ONCE]
        await asyncio.gather(*(client.review(item, **fields) for item, fields in part))  # type: ignore[arg-type]
    return len(twice), len(said)


async def _recount(deployment: Deployment, topic: str) -> tuple[int, Verdicts]:
    """How many verdicts the topic has, and what they come to where the first on a review counts;
    told by the json module alone."""
    servers, judged = deployment.settings.brokers, 0
    seen: set[tuple[str, str, str]] = set()
    counts: Verdicts = Counter()
    async for value in read_values(servers, topic, await fetched_ends(servers, topic)):
        said = json.loads(value or b"")
        judged += 1
        review_of = (said["tenant"], said["user"], said["review_id"])
        if review_of not in seen:
            seen.add(review_of)
            counts[said["tenant"], said["item_id"], said["verdict"]] += 1
    return judged, counts


async def _told(deployment: Deployment, tenant: str, shop: Selling, lists: OwnLists) -> str:
    settings = deployment.settings
    client = AsyncClient(
        settings.kafka_bootstrap_servers,
        tenant,
        settings.topic_prefix,
        settings.kafka_idempotence,
        clock=lambda: shop.now_ms,  # a recording is of long ago
    )
    async with client:
        deadline = asyncio.get_running_loop().time() + TOLD_S
        while not lists.reason and asyncio.get_running_loop().time() < deadline:
            deployment.raise_dead()
            await client.track("view_item", user_id=SHOPPER, items=[shop.items[-1]])
            await asyncio.sleep(LOOK_S)  # counts are told once a second
    return lists.reason


async def _until(deployment: Deployment, holds: Callable[[], Awaitable[bool]], wanted: str) -> None:
    deadline = asyncio.get_running_loop().time() + COUNTED_S
    while not await holds():
        deployment.raise_dead()
        if asyncio.get_running_loop().time() > deadline:
            raise OperatorError("insights", f"not that in {COUNTED_S:g} s", wanted)
        await asyncio.sleep(POLL_S)
