"""The trainer as a process: settings to a running loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import wall_clock
from millstream.domain.models import Network
from millstream.model.manifest import ArtifactRefused
from millstream.model.registry import Registry
from millstream.model.signed_files import Identity
from millstream.model.signing import letters_judged_by, load_private_key
from millstream.ranking.settings import read_ranking
from millstream.stores.catalogue import Catalogue
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.keys import Keys
from millstream.stores.lake import last_record, offsets, read_accepted
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected
from millstream.stores.training_states import TrainingStates
from millstream.streaming.followers import Take, follow
from millstream.streaming.producer import producer_for
from millstream.streaming.replayed import signed_origins
from millstream.streaming.starting import started
from millstream.streaming.telemetry import AT_WORK
from millstream.streaming.topics import CATALOG, EVENTS, EXPERIMENTS, TRAINING
from millstream.trainer.fitting import Fit
from millstream.trainer.requests import take_request
from millstream.trainer.service import serve
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.telling import telling
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
            signed_origins(*letters_judged_by(settings.keys_dir)),
        )

    def newest_log_ms(self) -> int | None:
        root, topic = self.settings.lake_dir, self.settings.topic(EVENTS)
        newest = (last_record(root, topic, partition) for partition in offsets(root, topic))
        return max((record.log_ms for record in newest if record), default=None)

    def offsets(self) -> dict[int, int]:
        return offsets(self.settings.lake_dir, self.settings.topic(EVENTS))


CATCH_UP_SECONDS = 10.0
_DRIFT_LOOKS = 4
"""Times between two trainings by lines that the newest lines are looked at for drift."""


async def run(settings: TrainerSettings, *, once: bool = False) -> None:
    """Trains until SIGTERM or SIGINT, then returns within 10 s; with `once` looks whether a version
    is due, trains it if so, and returns. Raises OperatorError where the signing key is missing, or
    the broker or Redis does not answer."""
    key = load_private_key(settings.keys_dir)
    registry = Registry(settings.model_store)
    registry.remove_partial(settings.tenant, settings.model_name)
    ranking = read_ranking(settings.ranking_file)
    stop, told = asyncio.Event(), threading.Event()
    _obey_signals(stop, told)
    catalogue, experiments = Catalogue(), ExperimentBook(wall_clock)
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        producer = producer_for(settings, client_id="millstream-trainer")
        stack.push_async_callback(producer.stop)
        await started(producer, settings.brokers)
        fit = await asyncio.to_thread(tensorflow, settings.threads)
        sold = partial(catalogue.items, settings.tenant)
        tools = Tools(
            settings=settings,
            fit=fit,
            whole_lists=RankedLists(settings.tenant, ranking, sold),
            hidden=lambda: _hidden(sold()),
            catalogue=sold,
            named=lambda: [v.version for v in experiments.named_versions(settings.tenant)],
            registry=registry,
            key=key,
            pointer=RedisModelPointer(redis, Keys(settings.redis_prefix)),
            producer=producer,
            clock=wall_clock,
            stop=told.is_set,
        )
        trigger = resumed_trigger(tools)
        await _follow(stack, settings, (catalogue, experiments), trigger)
        AT_WORK.set(1)
        states = TrainingStates(redis, Keys(settings.redis_prefix))
        name = settings.tenant, settings.model_name
        await stack.enter_async_context(telling(tools.progress, states, name, wall_clock))
        await serve(StoredLake(settings), trigger, tools, stop, once=once)


async def _follow(
    stack: AsyncExitStack,
    settings: TrainerSettings,
    told: tuple[Catalogue, ExperimentBook],
    trigger: Trigger,
) -> None:
    """The catalogue, experiments and what is asked for, read to their ends first or for ten
    seconds."""
    servers, name = settings.brokers, (settings.tenant, settings.model_name)
    catalogue, experiments = told
    takers: dict[str, Take] = {
        CATALOG: lambda record: catalogue.take(record.key, record.value),
        EXPERIMENTS: lambda record: experiments.take(record.key, record.value),
        TRAINING: lambda record: take_request(record, name, trigger),
    }
    followers = [follow(servers, settings.topic(topic), take) for topic, take in takers.items()]
    for follower in followers:
        stack.push_async_callback(follower.close)
        await started(follower, servers)
    await asyncio.gather(*(one.wait_caught_up(CATCH_UP_SECONDS) for one in followers))


def _hidden(items: Mapping[str, CatalogueItem]) -> frozenset[str]:
    return frozenset(name for name, item in items.items() if item.hidden)


def resumed_trigger(tools: Tools) -> Trigger:
    """Goes on from the newest version that stands in the store, promoted or not."""
    settings, registry = tools.settings, tools.registry
    minutes = settings.every_minutes
    trigger = Trigger(
        settings.first_after_lines,
        settings.every_lines,
        None if minutes is None else round(minutes * 60_000),
        None if settings.drift_psi is None else max(1, settings.every_lines // _DRIFT_LOOKS),
    )
    for version in reversed(registry.versions(settings.tenant, settings.model_name)):
        wanted = Identity(settings.tenant, settings.model_name, version)
        try:
            manifest = registry.show(tools.key.public_key(), wanted)
        except ArtifactRefused:
            continue
        window, created_ms = manifest.window, round(manifest.created_at.timestamp() * 1000)
        trigger.trained(sum(window.offsets.values()), window.last_log_ms, created_ms)
        tools.progress.ended(created_ms, manifest.quality.verdict, version)
        break
    return trigger


def tensorflow(threads: int) -> Fit:
    """Imported once Redis and the brokers have answered: it takes seconds, and memory that no other
    process of Millstream spends. Blocks."""
    from millstream.trainer.train import fit_network, limit_threads
    from millstream.trainer.train_sessions import fit_sessions

    limit_threads(threads)
    fits: dict[Network, Fit] = {Network.DOT_PRODUCT: fit_network, Network.SESSIONS: fit_sessions}
    return lambda data, rule, stop, logs: fits[rule.network](data, rule, stop, logs)


def _obey_signals(stop: asyncio.Event, told: threading.Event) -> None:
    def end() -> None:
        told.set()
        stop.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
