"""Builds a gateway: what stands behind the routes, and what runs beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import ConsumerRecord

from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.log import LogRecord
from millstream.domain.pseudonyms import Pseudonyms
from millstream.gateway.api import make_api
from millstream.gateway.asking import Asking
from millstream.gateway.browsing import Browsing, Told
from millstream.gateway.callers import Callers
from millstream.gateway.delivery import Delivery
from millstream.gateway.erasing import Erasing
from millstream.gateway.experiments import Experiments
from millstream.gateway.hot_lists import HotLists
from millstream.gateway.kpis import Kpis
from millstream.gateway.letters import Letters
from millstream.gateway.lists import Lists
from millstream.gateway.live_feed import LiveFeed, is_replayed
from millstream.gateway.live_ranking import LaidDown, LiveRanking
from millstream.gateway.models_in_service import Models
from millstream.gateway.moves import Moves
from millstream.gateway.parts import Parts, Topics
from millstream.gateway.pipeline import Door
from millstream.gateway.previews import Previews
from millstream.gateway.rates import Rates
from millstream.gateway.readiness import Readiness
from millstream.gateway.reverse import Reverse
from millstream.gateway.rule_changes import RuleChanges, TakeRecord
from millstream.gateway.ruled_lists import Ruled
from millstream.gateway.rules import Rules
from millstream.gateway.searching import Searching
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.shelf import Shelf
from millstream.gateway.shop_clock import ReplayClock
from millstream.gateway.site import site
from millstream.gateway.stored_lists import StoredLists
from millstream.gateway.turns import Turns
from millstream.gateway.versions import Versions
from millstream.gateway.watching import Watching
from millstream.model.registry import Registry
from millstream.model.signing import PRIVATE_NAME, load_private_key, load_public_key
from millstream.privacy.following import ErasureFollower
from millstream.privacy.key_files import every_version
from millstream.privacy.reverse_table import ReverseTable, load_master_key
from millstream.ranking.settings import read_ranking
from millstream.stores.affinities import AffinityStore
from millstream.stores.attributions import Attributions
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.feature_store import FeatureStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import RETRIES_AT_START, TROUBLE, connect, connected, read_slots
from millstream.stores.reverse_rows import SqliteRows
from millstream.stores.review_book import ReviewBook
from millstream.stores.rule_book import RuleBook
from millstream.stores.served_lists import ServedLists
from millstream.stores.tenant_ledger import TenantLedger
from millstream.streaming.followers import Follower, follow
from millstream.streaming.producer import producer_for
from millstream.streaming.starting import started
from millstream.streaming.topics import (
    CATALOG,
    DEMAND,
    ERASURES,
    EVENTS,
    EXPERIMENTS,
    MODELS,
    REVIEW_COUNTS,
    REVIEWS,
    RULE_CHANGES,
    RULES,
)

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis

log = structlog.get_logger("millstream.gateway")

CATCH_UP_S = 30.0
NUMBERS_S = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """`beside`: what must go on while requests are answered; each runs until cancelled, and its
    failure stops the process."""

    door: Door
    beside: tuple[Callable[[], Awaitable[None]], ...]


def pseudonyms_of(settings: GatewaySettings) -> Callable[[str], Pseudonyms | None]:
    if not settings.gateway_pseudonyms:
        return lambda _tenant: None
    return lambda tenant: every_version(settings.pseudonym_keys_dir, tenant)[0]


async def quickly_connected(settings: GatewaySettings) -> Redis:
    """A client that gives up soon: who waits is a shopper. Raises OperatorError."""
    within_s = settings.gateway_redis_seconds
    return await connected(
        settings.redis_url,
        RETRIES_AT_START,
        lambda url, retries: connect(url, min(retries, 1), within_s),
    )


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[Running]:
    """Everything but the HTTP server, started. Raises Halt or OperatorError where the deployment is
    not ready."""
    async with AsyncExitStack() as stack:
        callers = Callers(settings.gateway_api_keys, pseudonyms_of(settings))
        callers.load()
        redis = await quickly_connected(settings)
        stack.push_async_callback(redis.aclose)
        keys = Keys(settings.redis_prefix)
        slots = await read_slots(redis, keys)
        producer = producer_for(settings, "millstream-gateway")
        stack.push_async_callback(producer.stop)
        await started(producer, settings.brokers)
        replay = ReplayClock(wall_clock) if settings.gateway_replay else None
        clock = replay or wall_clock
        delivery = Delivery(producer, wall_clock, settings.gateway_ack_seconds, clock)
        catalogue, book, trials = Catalogue(), RuleBook(wall_clock), ExperimentBook(wall_clock)
        changes, counted = RuleChanges(), Attributions(redis, keys)
        demand, reviews = DemandBook(), ReviewBook()
        partitions = len(await producer.partitions_for(settings.topic(EVENTS)))
        rules = Rules(
            book,
            changes,
            delivery,
            (settings.topic(RULES), settings.topic(RULE_CHANGES)),
            wall_clock,
        )
        experiments = Experiments(
            trials, (counted, partitions), delivery, settings.topic(EXPERIMENTS), wall_clock
        )
        followers = await _followed(
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
        reverse = _reverse(stack, settings)
        erasures = ErasureFollower(settings.brokers, settings.topic(ERASURES))
        await stack.enter_async_context(erasures)

        numbers = ItemNumbers(redis, keys)
        await numbers.load()
        shop_of = _shops(AffinityStore(redis, keys, slots, numbers), catalogue, demand, reviews)
        shelf = Shelf(shop_of, lambda: callers.tenants)
        await shelf.refresh()
        pointer = RedisModelPointer(redis, keys)
        registry, public_key = Registry(settings.model_store), load_public_key(settings.keys_dir)
        models = Models(settings.model_name, registry, pointer, public_key, lambda: callers.tenants)
        await models.refresh()
        stored = StoredLists(
            ServedLists(redis, keys, slots, numbers),
            numbers,
            shelf,
            settings.topic(EVENTS),
            settings.gateway_redis_seconds,
            Ruled(book, catalogue.get),
        )
        states = FeatureStore(redis, keys, slots, partitions=1)
        live = LiveRanking(
            shop_of,
            models,
            states,
            numbers,
            clock,
            LaidDown(read_ranking(settings.ranking_file), book.in_force, trials.running),
        )
        stack.callback(live.close)
        lists = Lists(stored, live, catalogue.get)
        searching = Searching(catalogue, live, models, book.in_force, lambda: callers.tenants)
        stack.callback(searching.close)
        browsing = Browsing(shop_of, catalogue, states.item, live, Told(demand.get, reviews.get))
        feed = LiveFeed(lambda: callers.tenants)
        watching = Watching(
            settings.brokers,
            settings.topic(EVENTS),
            seen_by(feed, replay),
            always=settings.gateway_replay,
        )
        erasing = Erasing(settings, reverse, stored)
        readiness = Readiness(producer.client.force_metadata_update, redis.ping)
        rates = Rates(settings.gateway_requests_per_second, settings.gateway_events_per_second)
        parts = Parts(
            topics=Topics(*map(settings.topic, (EVENTS, CATALOG, REVIEWS))),
            callers=callers,
            rates=rates,
            turns=Turns(),
            delivery=delivery,
            reverse=reverse,
            lists=lists,
            letters=_letters(settings, producer),
            erasing=erasing,
            versions=Versions(registry, pointer, public_key),
            moves=Moves(registry, pointer, public_key, delivery, settings.topic(MODELS)),
            rules=rules,
            experiments=experiments,
            kpis=Kpis(counted, partitions, catalogue.size, clock),
            readiness=readiness,
            browsing=browsing,
            previews=Previews(live, browsing),
            searching=searching,
            asking=Asking(searching, lists, catalogue.get, reviews.get),
            feed=feed,
            watching=watching,
            ledger=TenantLedger(redis, keys, slots),
            clock=clock,
            replay=replay,
        )
        page = site() if settings.gateway_page else None
        door = Door(callers, rates, HotLists(stored), make_api(lambda: parts), settings, page)
        yield Running(
            door,
            (
                callers.follow,
                shelf.follow,
                models.follow,
                readiness.follow,
                watching.follow,
                searching.follow,
                lambda: erasing.follow(erasures),
                lambda: _numbers(numbers),
                *(follower.run_to_its_end for follower in followers),
            ),
        )


def seen_by(feed: LiveFeed, clock: ReplayClock | None) -> Callable[[LogRecord], None]:
    def seen(record: LogRecord) -> None:
        feed.take(record)
        if clock is not None and not is_replayed(record):
            clock.saw(record.log_ms)

    return seen


async def _followed(
    stack: AsyncExitStack, settings: GatewaySettings, takers: Mapping[str, TakeRecord]
) -> list[Follower]:
    """Each topic read to its end, or for CATCH_UP_S seconds, and followed from then on."""
    servers, followers = settings.brokers, []
    for topic, take in takers.items():
        follower = follow(servers, settings.topic(topic), partial(_hand_over, take))
        stack.push_async_callback(follower.close)
        await started(follower, servers)
        followers.append(follower)
    reached = await asyncio.gather(*(one.wait_caught_up(CATCH_UP_S) for one in followers))
    if not all(reached):
        log.warning("lists begin before catalogue and rules were read to their ends")
    return followers


def _hand_over(take: TakeRecord, record: ConsumerRecord[Any, Any]) -> None:
    take(record.key, record.value)


def _shops(
    affinities: AffinityStore, catalogue: Catalogue, demand: DemandBook, reviews: ReviewBook
) -> Callable[[str], CachedShop]:
    shops: dict[str, CachedShop] = {}

    def shop_of(tenant: str) -> CachedShop:
        if tenant not in shops:
            shops[tenant] = CachedShop(tenant, affinities, catalogue, demand, reviews, wall_clock)
        return shops[tenant]

    return shop_of


def _reverse(stack: AsyncExitStack, settings: GatewaySettings) -> Reverse | None:
    if settings.reverse_table is None or not settings.gateway_pseudonyms:
        return None
    if settings.reverse_master_key is None:
        raise OperatorError(
            "setting MILLSTREAM_REVERSE_MASTER_KEY",
            "nothing, beside a reverse table",
            "the file of the key that opens it",
            "Make it with `millstream keys reverse`",
        )
    master = load_master_key(settings.reverse_master_key)
    rows = SqliteRows(settings.reverse_table)
    stack.callback(rows.close)
    return Reverse(ReverseTable(rows, master))


def _letters(settings: GatewaySettings, producer: AIOKafkaProducer) -> Letters:
    """With the signing key where this gateway may see it: who has it can sign models too."""
    key = settings.keys_dir / PRIVATE_NAME
    return Letters(
        settings, producer, load_private_key(settings.keys_dir) if key.exists() else None
    )


async def _numbers(numbers: ItemNumbers) -> None:
    while True:
        await asyncio.sleep(NUMBERS_S)
        try:
            await numbers.load()
        except TROUBLE as error:
            log.warning("item numbers not read anew", kind=type(error).__name__)
