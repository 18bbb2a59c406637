"""What a gateway makes lists of: shops, models, shoppers' states, and the lists that are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from millstream.domain.clock import wall_clock
from millstream.gateway.followed import Followed
from millstream.gateway.ground import Ground
from millstream.gateway.lists import Lists
from millstream.gateway.live_ranking import LaidDown, LiveRanking
from millstream.gateway.models_in_service import Models
from millstream.gateway.remade_lists import RemadeLists
from millstream.gateway.ruled_lists import Ruled
from millstream.gateway.shelf import Shelf
from millstream.gateway.stored_lists import StoredLists
from millstream.model.registry import Registry
from millstream.model.signing import load_public_key
from millstream.ranking.rankings import read_rankings
from millstream.stores.affinities import AffinityStore
from millstream.stores.cached_shop import CachedShop
from millstream.stores.catalogue import Catalogue
from millstream.stores.demand_book import DemandBook
from millstream.stores.feature_store import FeatureStore
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import TROUBLE
from millstream.stores.review_book import ReviewBook
from millstream.stores.served_lists import ServedLists
from millstream.streaming.topics import EVENTS

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

log = structlog.get_logger("millstream.gateway")

NUMBERS_S = 5.0

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ListMaking:
    """`held`: versions of models, which of them serves, and whose signature they must bear."""

    held: tuple[Registry, RedisModelPointer, Ed25519PublicKey]
    models: Models
    shop_of: Callable[[str], CachedShop]
    states: FeatureStore
    stored: StoredLists
    live: LiveRanking
    lists: Lists
    beside: tuple[Run, ...]


async def opened_lists(stack: AsyncExitStack, ground: Ground, followed: Followed) -> ListMaking:
    settings, redis, keys, slots = ground.settings, ground.redis, ground.keys, ground.slots
    numbers = ItemNumbers(redis, keys)
    await numbers.load()
    affinities = AffinityStore(redis, keys, slots, numbers)
    shop_of = _shops(affinities, followed.catalogue, followed.demand, followed.reviews)
    shelf = Shelf(shop_of, lambda: ground.callers.tenants)
    await shelf.refresh()
    registry, pointer = Registry(settings.model_store), RedisModelPointer(redis, keys)
    held = registry, pointer, load_public_key(settings.keys_dir)
    named = followed.trials.named_versions
    models = Models(settings.model_name, *held, lambda: ground.callers.tenants, named)
    await models.refresh()
    states = FeatureStore(redis, keys, slots, partitions=1)
    laid_down = LaidDown(
        settings.variant,
        read_rankings(settings.ranking_file, settings.ranking_dir),
        followed.book.in_force,
        followed.trials.running,
    )
    live = LiveRanking(shop_of, models, states, numbers, ground.clock, laid_down)
    stack.callback(live.close)
    stored = StoredLists(
        ServedLists(redis, keys, slots, numbers),
        shelf,
        settings.topic(EVENTS),
        settings.variant,
        Ruled(followed.book, followed.catalogue.get),
        RemadeLists(live, followed.book.in_force, followed.rules.moved_ms),
    )
    lists = Lists(stored, live, followed.catalogue.get)
    beside = shelf.follow, models.follow, lambda: _numbers(numbers)
    return ListMaking(held, models, shop_of, states, stored, live, lists, beside)


def _shops(
    affinities: AffinityStore, catalogue: Catalogue, demand: DemandBook, reviews: ReviewBook
) -> Callable[[str], CachedShop]:
    shops: dict[str, CachedShop] = {}

    def shop_of(tenant: str) -> CachedShop:
        if tenant not in shops:
            shops[tenant] = CachedShop(tenant, affinities, catalogue, demand, reviews, wall_clock)
        return shops[tenant]

    return shop_of


async def _numbers(numbers: ItemNumbers) -> None:
    while True:
        await asyncio.sleep(NUMBERS_S)
        try:
            await numbers.load()
        except TROUBLE as error:
            log.warning("item numbers not read anew", kind=type(error).__name__)
