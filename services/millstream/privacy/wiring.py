"""From settings to an erasure that is under way."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

from millstream.domain.acceptance import Shopper
from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.privacy.announce import Announcer, Topics
from millstream.privacy.erase import Means, Proof, erase
from millstream.privacy.key_files import every_version
from millstream.privacy.lists import ListWatch
from millstream.privacy.places import (
    KEPT,
    AttributionPlace,
    LakePlace,
    ListPlace,
    Place,
    RedisPlace,
    ReversePlace,
)
from millstream.privacy.settings import PrivacySettings
from millstream.stores.erased_attributions import ErasedAttributions
from millstream.stores.erasures import ErasedEverywhere, ErasedState
from millstream.stores.keys import Keys
from millstream.stores.redis import connected, read_slots
from millstream.stores.reverse_rows import SqliteRows
from millstream.stores.verdict_store import review_keys
from millstream.streaming.producer import producer_for
from millstream.streaming.starting import started
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import ERASURES, EVENTS, RECOMMENDATIONS

if TYPE_CHECKING:
    from redis.asyncio import Redis


def shoppers_of(settings: PrivacySettings, tenant: str, raw_id: str) -> list[Shopper]:
    """The pseudonyms of a raw id (`~` before an anonymous one) under every key there is. Raises
    OperatorError where the tenant has none."""
    versions = every_version(settings.pseudonym_keys_dir, tenant)
    return [(tenant, pseudonyms.shopper(raw_id)) for pseudonyms in versions]


async def run_erase(
    settings: PrivacySettings, shoppers: Sequence[Shopper], lake_within_s: float | None
) -> dict[str, Proof]:
    """`lake_within_s`: how long the lake's service may take; None: there is no lake to ask.
    Raises OperatorError and Halt where Kafka, Redis or a topic is missing."""
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        state = await _state(settings, redis)
        servers = settings.brokers
        lists = settings.topic(RECOMMENDATIONS)
        watch = await stack.enter_async_context(ListWatch(servers, lists, shoppers))
        attribution = AttributionPlace(await _attributions(settings, redis))
        places: list[Place] = [RedisPlace(state), attribution, ListPlace(watch)]
        if lake_within_s is not None:
            kept = {settings.topic(topic): read for topic, read in KEPT.items()}
            places.append(LakePlace(settings.lake_dir, kept, lake_within_s))
        reverse = None
        if settings.reverse_table is not None:
            rows = stack.enter_context(closing(_rows(settings.reverse_table)))
            reverse = ReversePlace(rows)
            places.append(reverse)
        producer = producer_for(settings, "millstream-erase")
        stack.push_async_callback(producer.stop)
        await started(producer, servers)
        topics = Topics(settings.topic(EVENTS), settings.topic(ERASURES), lists)
        announcer = Announcer(producer, topics, wall_clock)
        means = Means(announcer, state, attribution, reverse, places, wall_clock)
        return await erase(shoppers, means)


async def _state(settings: PrivacySettings, redis: Redis) -> ErasedState:
    keys = Keys(settings.redis_prefix)
    reviews = review_keys(settings.redis_prefix)
    return ErasedEverywhere(redis, keys, reviews, await read_slots(redis, keys))


async def _attributions(settings: PrivacySettings, redis: Redis) -> ErasedAttributions:
    found = await partitions_of(settings.brokers, settings.topic(EVENTS))
    numbers = [place.partition for place in found]
    return ErasedAttributions(redis, Keys(settings.redis_prefix), numbers)


def _rows(path: Path) -> SqliteRows:
    if not path.is_file():  # a wrong path would make an empty table, and prove nothing
        raise OperatorError(
            "setting MILLSTREAM_REVERSE_TABLE",
            f"{path}, where no file is",
            "the reverse table that the gateway keeps, or nothing where none is kept",
        )
    return SqliteRows(path)
