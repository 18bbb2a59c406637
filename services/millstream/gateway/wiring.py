"""Builds a gateway room by room: what it stands on (ground.py), what topics tell it (followed.py),
what lists are made of (list_making.py), what the routes work with, and what runs beside them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from millstream.domain.clock import wall_clock
from millstream.domain.log import LogRecord
from millstream.gateway.announcing import Announcing
from millstream.gateway.api import make_api
from millstream.gateway.asking import Asking
from millstream.gateway.browsing import Browsing, Counted, Told
from millstream.gateway.erasing import Erasing
from millstream.gateway.followed import Followed, follow_topics
from millstream.gateway.ground import Ground, opened_ground
from millstream.gateway.hot_lists import HotLists
from millstream.gateway.kpis import Kpis
from millstream.gateway.letters import Letters
from millstream.gateway.list_making import ListMaking, opened_lists
from millstream.gateway.live_feed import LiveFeed, is_replayed
from millstream.gateway.moves import Moves
from millstream.gateway.parts import Parts, Topics
from millstream.gateway.pipeline import Door
from millstream.gateway.previews import Previews
from millstream.gateway.rates import rates_of
from millstream.gateway.readiness import Readiness
from millstream.gateway.reverse import Reverse, opened_reverse
from millstream.gateway.searching import Searching
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.shop_clock import ReplayClock
from millstream.gateway.site import site
from millstream.gateway.trainings import Trainings
from millstream.gateway.turns import Turns
from millstream.gateway.versions import Versions
from millstream.gateway.watching import Watching
from millstream.model.signing import known_letter_key
from millstream.privacy.following import ErasureFollower
from millstream.stores.tenant_ledger import TenantLedger
from millstream.stores.training_states import TrainingStates
from millstream.streaming.topics import CATALOG, ERASURES, EVENTS, MODELS, REVIEWS

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Running:
    """`beside`: what must go on while requests are answered; each runs until cancelled, and its
    failure stops the process."""

    door: Door
    beside: tuple[Run, ...]


@asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[Running]:
    """Everything but the HTTP server, started. Raises Halt or OperatorError where the deployment is
    not ready."""
    async with AsyncExitStack() as stack:
        ground = await opened_ground(stack, settings)
        followed = await follow_topics(stack, ground)
        # followed: catalogue, rules, experiments, forecasts, counts of reviews
        reverse = opened_reverse(stack, settings)
        erasures = ErasureFollower(settings.brokers, settings.topic(ERASURES))
        await stack.enter_async_context(erasures)
        making = await opened_lists(stack, ground, followed)
        # making: lists, those that are stored and those that are made for a request
        parts = _parts(stack, ground, followed, making, reverse)
        # parts: what the routes work with
        page = site() if settings.gateway_page else None
        hot, api = HotLists(making.stored), make_api(lambda: parts)
        yield Running(
            Door(parts.callers, parts.rates, hot, api, settings, page),
            (
                parts.callers.follow,
                parts.readiness.follow,
                parts.announcing.follow,
                parts.watching.follow,
                parts.searching.follow,
                lambda: parts.erasing.follow(erasures),
                *making.beside,
                followed.follow_on,
            ),
        )


def _parts(
    stack: AsyncExitStack,
    ground: Ground,
    followed: Followed,
    making: ListMaking,
    reverse: Reverse | None,
) -> Parts:
    settings, callers, catalogue = ground.settings, ground.callers, followed.catalogue
    searching = Searching(
        catalogue, making.live, making.models, followed.book.in_force, lambda: callers.tenants
    )
    stack.callback(searching.close)
    answers = Told(followed.demand.get, followed.reviews.get)
    kpis = Kpis(followed.counted, ground.partitions, catalogue.size, ground.clock)
    counted = Counted(making.states.item, kpis.exposure)
    browsing = Browsing(making.shop_of, catalogue, counted, making.live, answers)
    feed = LiveFeed(lambda: callers.tenants)
    kafka = ground.producer.client.force_metadata_update
    announcing = Announcing(ground.delivery, settings.topic(MODELS))
    return Parts(
        topics=Topics(*map(settings.topic, (EVENTS, CATALOG, REVIEWS))),
        callers=callers,
        rates=rates_of(settings),
        turns=Turns(),
        delivery=ground.delivery,
        reverse=reverse,
        lists=making.lists,
        letters=_letters(settings, ground.producer),
        erasing=Erasing(settings, reverse, making.stored),
        versions=Versions(settings.model_name, *making.held),
        trainings=Trainings(TrainingStates(ground.redis, ground.keys), wall_clock),
        announcing=announcing,
        moves=Moves(*making.held, announcing, kafka),
        rules=followed.rules,
        experiments=followed.experiments,
        kpis=kpis,
        readiness=Readiness(kafka, ground.redis.ping),
        browsing=browsing,
        previews=Previews(making.live, browsing),
        searching=searching,
        asking=Asking(searching, making.lists, catalogue.get, followed.reviews.get),
        feed=feed,
        watching=Watching(
            settings.brokers,
            settings.topic(EVENTS),
            seen_by(feed, ground.replay),
            always=settings.gateway_replay,
        ),
        ledger=TenantLedger(ground.redis, ground.keys, ground.slots),
        clock=ground.clock,
        replay=ground.replay,
    )


def seen_by(feed: LiveFeed, clock: ReplayClock | None) -> Callable[[LogRecord], None]:
    def seen(record: LogRecord) -> None:
        feed.take(record)
        if clock is not None and not is_replayed(record):
            clock.saw(record.log_ms)

    return seen


def _letters(settings: GatewaySettings, producer: AIOKafkaProducer) -> Letters:
    """Able to send events again where this gateway may see a key to sign them with. Raises
    OperatorError where recommenders would not know it."""
    home = settings.letter_keys_dir or settings.keys_dir
    return Letters(settings, producer, known_letter_key(home, settings.keys_dir))
