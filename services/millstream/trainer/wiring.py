"""The trainer of embeddings as a process: settings to a running loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import wall_clock
from millstream.domain.models import Network
from millstream.model.manifest import Manifest
from millstream.model.signing import letters_judged_by
from millstream.ranking.rankings import read_rankings
from millstream.stores.catalogue import Catalogue
from millstream.stores.experiment_book import ExperimentBook
from millstream.stores.lake import last_record, offsets, read_accepted
from millstream.streaming.followers import Follower, Take, follow
from millstream.streaming.replayed import signed_origins
from millstream.streaming.telemetry import AT_WORK
from millstream.streaming.topics import CATALOG, EVENTS, EXPERIMENTS
from millstream.trainer.collect import COLUMNS
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fit, Fitted, Watch
from millstream.trainer.ground import caught_up, requests, stand
from millstream.trainer.service import serve
from millstream.trainer.settings import TrainerSettings, Training
from millstream.trainer.telling import telling
from millstream.trainer.tools import Tools
from millstream.trainer.trigger import Trigger
from millstream.trainer.turn import turn
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
            COLUMNS,
        )

    def newest_log_ms(self) -> int | None:
        root, topic = self.settings.lake_dir, self.settings.topic(EVENTS)
        newest = (last_record(root, topic, partition) for partition in offsets(root, topic))
        return max((record.log_ms for record in newest if record), default=None)

    def offsets(self) -> dict[int, int]:
        return offsets(self.settings.lake_dir, self.settings.topic(EVENTS))


_DRIFT_LOOKS = 4
"""Times between two trainings by lines that the newest lines are looked at for drift."""


async def run(settings: TrainerSettings, *, once: bool = False) -> None:
    """Trains until SIGTERM or SIGINT, then returns within 10 s; with `once` looks whether a version
    is due, trains it if so, and returns. Raises OperatorError where the signing key is missing, or
    the broker or Redis does not answer."""
    ranking = read_rankings(settings.ranking_file, settings.ranking_dir).of(settings.tenant)
    catalogue, experiments = Catalogue(), ExperimentBook(wall_clock)
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(stand(settings))
        fit = await asyncio.to_thread(tensorflow, settings.threads)
        sold = partial(catalogue.items, settings.tenant)
        takers: dict[str, Take] = {
            CATALOG: lambda record: catalogue.take(record.key, record.value),
            EXPERIMENTS: lambda record: experiments.take(record.key, record.value),
        }
        told = [follow(settings.brokers, settings.topic(of), take) for of, take in takers.items()]
        tools = Tools(
            settings=settings,
            fit=fit,
            whole_lists=RankedLists(settings.tenant, ranking, sold, settings.deriving),
            hidden=lambda: _hidden(sold()),
            catalogue=sold,
            named=partial(named_by, experiments, told[-1], settings.tenant),
            outlet=ground.outlet,
            clock=wall_clock,
            stop=ground.told.is_set,
        )
        trigger = resumed_trigger(tools)
        await caught_up(stack, settings, *told, requests(settings, trigger))
        AT_WORK.set(1)
        told_of = telling(tools.progress, ground.states, ground.outlet.name, wall_clock)
        await stack.enter_async_context(told_of)
        look = partial(turn, StoredLake(settings), trigger, tools)
        await serve(look, settings.poll_s, ground.stop, once=once)


def _hidden(items: Mapping[str, CatalogueItem]) -> frozenset[str]:
    return frozenset(name for name, item in items.items() if item.hidden)


def named_by(experiments: ExperimentBook, told: Follower, tenant: str) -> Collection[int] | None:
    """None while `told` has not read all experiments, or reads them no more."""
    if not told.caught_up.is_set() or told.has_ended:
        return None
    return {pinned.version for pinned in experiments.named_versions(tenant)}


def resumed_trigger(tools: Tools) -> Trigger:
    """Goes on from the newest version that stands in the store, promoted or not."""
    settings, outlet = tools.settings, tools.outlet
    trigger = Trigger(
        settings.first_after_lines,
        settings.every_lines,
        settings.every_ms,
        None if settings.drift_psi is None else max(1, settings.every_lines // _DRIFT_LOOKS),
    )
    newest = outlet.registry.newest(outlet.public_key, *outlet.name)
    if isinstance(newest, Manifest):
        window, created_ms = newest.window, round(newest.created_at.timestamp() * 1000)
        trigger.trained(sum(window.offsets.values()), window.last_log_ms, created_ms)
        tools.progress.ended(created_ms, newest.quality.verdict, newest.version)
    return trigger


def tensorflow(threads: int) -> Fit:
    """Imported once Redis and the brokers have answered: it takes seconds, and memory that no other
    process of Millstream spends. The fits compute on all devices that TensorFlow shows. Blocks."""
    from millstream.trainer.devices import all_devices
    from millstream.trainer.train import fit_network, limit_threads
    from millstream.trainer.train_sessions import fit_sessions

    limit_threads(threads)
    fits: dict[Network, Fit] = {Network.DOT_PRODUCT: fit_network, Network.SESSIONS: fit_sessions}
    strategy = all_devices()

    def fit(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
        with strategy.scope():
            return fits[rule.network](data, rule, watch, log_dir)

    return fit
