"""The trainer as a process: settings to a running loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import wall_clock
from millstream.model.artifact import Identity
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import Registry
from millstream.model.signing import load_private_key, load_public_key
from millstream.ranking.settings import RankingSettings
from millstream.stores.catalogue import Catalogue
from millstream.stores.keys import Keys
from millstream.stores.lake import last_record, offsets, read_accepted
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected
from millstream.streaming.followers import follow
from millstream.streaming.producer import producer_for
from millstream.streaming.replayed import signed_origins
from millstream.streaming.starting import started
from millstream.streaming.topics import CATALOG, EVENTS
from millstream.trainer.service import serve
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger
from millstream.trainer.whole_list import RankedLists


@dataclass(frozen=True, slots=True)
class StoredLake:
    """Implements collect.Lake over the lake's files."""

    settings: TrainerSettings

    def accepted(self, since_log_ms: int | None) -> pl.DataFrame:
        settings = self.settings
        return read_accepted(
            settings.lake_dir,
            settings.topic(EVENTS),
            settings.tenant,
            since_log_ms,
            signed_origins(load_public_key(settings.keys_dir)),
        )

    def newest_log_ms(self) -> int | None:
        root, topic = self.settings.lake_dir, self.settings.topic(EVENTS)
        newest = (last_record(root, topic, partition) for partition in offsets(root, topic))
        return max((record.log_ms for record in newest if record), default=None)

    def offsets(self) -> dict[int, int]:
        return offsets(self.settings.lake_dir, self.settings.topic(EVENTS))


CATCH_UP_SECONDS = 10.0


async def run(settings: TrainerSettings, ranking: RankingSettings | None = None) -> None:
    """Trains until SIGTERM or SIGINT, then returns within 10 s. Raises OperatorError where the
    signing key is missing, or the broker or Redis does not answer."""
    key = load_private_key(settings.keys_dir)
    registry = Registry(settings.model_store)
    registry.remove_partial(settings.tenant, settings.model_name)
    os.nice(settings.niceness)
    # Imported here: it takes seconds and memory that no other process of Millstream spends.
    from millstream.trainer.train import fit_network, limit_threads

    limit_threads(settings.threads)
    stop, told = asyncio.Event(), threading.Event()
    _obey_signals(stop, told)
    redis = await connected(settings.redis_url)
    producer = producer_for(settings, client_id="millstream-trainer")
    catalogue = Catalogue()
    catalogue_follower = follow(
        settings.kafka_bootstrap_servers,
        settings.topic(CATALOG),
        lambda record: catalogue.take(record.key, record.value),
    )
    tools = Tools(
        settings=settings,
        fit=fit_network,
        whole_list=RankedLists(
            settings.tenant,
            ranking or RankingSettings(),
            lambda: catalogue.items(settings.tenant),
        ),
        hidden=lambda: _hidden(catalogue.items(settings.tenant)),
        registry=registry,
        key=key,
        pointer=RedisModelPointer(redis, Keys(settings.redis_prefix)),
        producer=producer,
        clock=wall_clock,
        stop=told.is_set,
    )
    try:
        await started(producer, settings.kafka_bootstrap_servers)
        await started(catalogue_follower, settings.kafka_bootstrap_servers)
        await catalogue_follower.wait_caught_up(CATCH_UP_SECONDS)
        await serve(StoredLake(settings), resumed_trigger(tools), tools, stop)
    finally:
        await catalogue_follower.close()
        await producer.stop()
        await redis.aclose()


def _hidden(items: Mapping[str, CatalogueItem]) -> frozenset[str]:
    return frozenset(name for name, item in items.items() if item.hidden)


def resumed_trigger(tools: Tools) -> Trigger:
    """Goes on from the newest version that stands in the store, promoted or not."""
    settings, registry = tools.settings, tools.registry
    trigger = Trigger(settings.first_after_lines, settings.every_lines)
    for version in reversed(registry.versions(settings.tenant, settings.model_name)):
        wanted = Identity(settings.tenant, settings.model_name, version)
        try:
            manifest = registry.show(tools.key.public_key(), wanted)
        except ArtifactRefused:
            continue
        window = manifest.window
        trigger.trained(sum(window.offsets.values()), window.last_log_ms)
        break
    return trigger


def _obey_signals(stop: asyncio.Event, told: threading.Event) -> None:
    def end() -> None:
        told.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
