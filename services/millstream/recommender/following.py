"""Catalogue, rules, experiments, models and what insights tells, as their topics say, beside the
pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import structlog
from aiokafka.structs import ConsumerRecord

from millstream.domain.clock import wall_clock
from millstream.domain.models import ModelAnnouncement
from millstream.recommender import telemetry
from millstream.recommender.hot_swap import HotSwap
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.review_book import ReviewBook
from millstream.stores.rule_book import RuleBook
from millstream.streaming.followers import Follower, follow
from millstream.streaming.starting import started
from millstream.streaming.topics import CATALOG, DEMAND, EXPERIMENTS, MODELS, REVIEW_COUNTS, RULES

log = structlog.get_logger()

CATCH_UP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the topics are told into."""

    catalogue: Catalogue
    rules: RuleBook
    experiments: ExperimentBook
    demand: DemandBook
    reviews: ReviewBook


class Book(Protocol):
    refused: int

    def take(self, key: bytes | None, value: bytes | None) -> None: ...


_ANNOUNCEMENTS = msgspec.json.Decoder(ModelAnnouncement)


async def follow_shop(
    stack: AsyncExitStack,
    settings: RecommenderSettings,
    told: Told,
    models: HotSwap,
) -> Sequence[Follower]:
    """What the topics tell, read to their ends before the first list, or for ten seconds.
    The followers go on until `stack` closes; that one of them ended is for the caller to notice.
    Raises OperatorError where no broker answers."""
    models.know("default")
    began_ms = wall_clock()
    servers = settings.brokers
    followers = [
        follow(
            servers,
            settings.topic(CATALOG),
            lambda record: told.catalogue.take(record.key, record.value),
        ),
        follow(servers, settings.topic(RULES), lambda record: take(record, told.rules)),
        follow(
            servers,
            settings.topic(EXPERIMENTS),
            lambda record: take_experiment(record, told.experiments, models),
        ),
        follow(servers, settings.topic(DEMAND), lambda record: take(record, told.demand)),
        follow(
            servers,
            settings.topic(REVIEW_COUNTS),
            lambda record: take(record, told.reviews),
        ),
        follow(
            servers,
            settings.topic(MODELS),
            lambda record: take_announcement(record, settings.model_name, models, began_ms),
        ),
    ]
    for follower in followers:
        stack.push_async_callback(follower.close)
        await started(follower, servers)
    reached = await asyncio.gather(*(f.wait_caught_up(CATCH_UP_SECONDS) for f in followers))
    if not all(reached):
        log.warning("lists begin before what the topics tell was read to its end")
    await models.look_up()
    return followers


def take(record: ConsumerRecord[Any, Any], book: Book) -> None:
    refused = book.refused
    book.take(record.key, record.value)
    if book.refused > refused:
        log.warning("a record that does not read is passed over", topic=record.topic)


def take_experiment(
    record: ConsumerRecord[Any, Any], book: ExperimentBook, models: HotSwap
) -> None:
    """Also has the versions that it names, or named, looked up: it is in force once they are
    loaded."""
    take(record, book)
    tenant = (record.key or b"").decode(errors="replace").partition(":")[0]
    if book.named_versions(tenant) or models.named(tenant):
        models.announce(tenant)


def take_announcement(
    record: ConsumerRecord[Any, Any], model: str, models: HotSwap, began_ms: int
) -> None:
    """One that does not read is counted and passed over, one from before `began_ms` is no news. One
    that was not promoted makes the tenant known all the same: a compacted topic keeps a tenant's
    last announcement only."""
    try:
        announced = _ANNOUNCEMENTS.decode(record.value or b"")
    except (msgspec.MsgspecError, ValueError, RecursionError):
        telemetry.ANNOUNCEMENTS_REFUSED.inc()
        return
    telemetry.announced(announced, record.timestamp, record.timestamp >= began_ms)
    if announced.model == model:
        models.announce(announced.tenant)
