"""What topics tell a gateway: each is read to its end before it answers, and followed then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from aiokafka.structs import ConsumerRecord

from millstream.domain.clock import wall_clock
from millstream.gateway.experiments import Experiments
from millstream.gateway.ground import Ground
from millstream.gateway.pinning import Pinning
from millstream.gateway.rule_changes import RuleChanges, TakeRecord
from millstream.gateway.rules import Rules
from millstream.gateway.settings import GatewaySettings
from millstream.model.registry import Registry
from millstream.model.signing import load_public_key
from millstream.stores.attributions import Attributions
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.review_book import ReviewBook
from millstream.stores.rule_book import RuleBook
from millstream.streaming.followers import Follower, follow_all
from millstream.streaming.starting import started
from millstream.streaming.topics import (
    CATALOG,
    DEMAND,
    EXPERIMENTS,
    REVIEW_COUNTS,
    RULE_CHANGES,
    RULES,
)

log = structlog.get_logger("millstream.gateway")

CATCH_UP_S = 30.0

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Followed:
    """`rules`: of `book`; `experiments`: of `trials`. `follow_on`: to run with the gateway."""

    catalogue: Catalogue
    book: RuleBook
    trials: ExperimentBook
    demand: DemandBook
    reviews: ReviewBook
    rules: Rules
    experiments: Experiments
    counted: Attributions
    follow_on: Run


async def follow_topics(stack: AsyncExitStack, ground: Ground) -> Followed:
    settings, delivery = ground.settings, ground.delivery
    catalogue, demand, reviews = Catalogue(), DemandBook(), ReviewBook()
    book, trials = RuleBook(wall_clock), ExperimentBook(wall_clock)
    changes, counted = RuleChanges(), Attributions(ground.redis, ground.keys)
    topics = settings.topic(RULES), settings.topic(RULE_CHANGES)
    rules = Rules(book, changes, delivery, topics, wall_clock)
    experiments = Experiments(
        trials,
        (counted, ground.partitions),
        Pinning(
            settings.model_name,
            Registry(settings.model_store),
            load_public_key(settings.keys_dir),
        ),
        delivery,
        settings.topic(EXPERIMENTS),
        wall_clock,
    )
    follower = await _followed(
        stack,
        settings,
        {
            CATALOG: catalogue.take,
            RULES: rules.news.after(book.take),
            RULE_CHANGES: rules.news.after(changes.take),
            EXPERIMENTS: experiments.news.after(trials.take),
            DEMAND: demand.take,
            REVIEW_COUNTS: reviews.take,
        },
    )
    follow_on = follower.run_to_its_end
    return Followed(
        catalogue, book, trials, demand, reviews, rules, experiments, counted, follow_on
    )


async def _followed(
    stack: AsyncExitStack, settings: GatewaySettings, takers: Mapping[str, TakeRecord]
) -> Follower:
    """Of all topics, each read to its end, or for CATCH_UP_S seconds, and followed from then on."""
    servers = settings.brokers
    taken = {settings.topic(topic): partial(_hand_over, take) for topic, take in takers.items()}
    follower = follow_all(servers, taken)
    stack.push_async_callback(follower.close)
    await started(follower, servers)
    if not await follower.wait_caught_up(CATCH_UP_S):
        log.warning("lists begin before catalogue and rules were read to their ends")
    return follower


def _hand_over(take: TakeRecord, record: ConsumerRecord[Any, Any]) -> None:
    take(record.key, record.value)
