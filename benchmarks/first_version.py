"""`millstream bench first-version`: what a version costs, from files to artefact.

A recording goes through the trainer's pipeline as the lake would give it: networks are trained and
chosen among on held-out lines, the best sits the exam, then learns from the whole window and is
signed, written and checked. No broker, Redis or catalogue stands by. It is the first version: a
later one learns once more, to sit the exam beside the one in service, which has seen more.

CPU minutes and peak memory, which the command tells, are those of the whole process."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import polars as pl
from benchmarks.machine import machine
from benchmarks.training import purchased_lines
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from millstream.domain.clock import wall_clock
from millstream.domain.models import Network
from millstream.local.networks_trial import recorded_events
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.model.registry import Registry
from millstream.ranking.settings import RankingSettings
from millstream.trainer.collect import Window
from millstream.trainer.fitting import Fit
from millstream.trainer.outlet import Outlet
from millstream.trainer.pipeline import train_version
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.tools import Tools
from millstream.trainer.whole_list import RankedLists
from millstream.trainer.wiring import tensorflow

if TYPE_CHECKING:
    from millstream.model.manifest import Manifest

_COLUMNS = ["user", "event_id", "type", "item", "time_ms"]


class NoneYet:
    """Implements PointerHistory and Producer: nothing serves, nobody hears of it."""

    async def read(self, *_: object) -> None:
        return None

    async def promote(self, *_: object) -> bool:
        return True

    async def before(self, *_: object) -> tuple[tuple[int, str], ...]:
        return ()

    async def choose(self, *_: object) -> bool:
        raise NotImplementedError("an operator's, not a trainer's")

    go_back = choose

    async def send_and_wait(self, *_: object) -> None:
        return None


def window(data: Path | None) -> pl.DataFrame:
    """(n, 7) as the lake gives them: Online Retail's purchases, else RetailRocket's events of the
    folder. Blocks for seconds. Raises OperatorError where the folder is another."""
    rows = list(purchased_lines()) if data is None else recorded_events(data)
    frame = pl.DataFrame(rows, _COLUMNS, orient="row").sort("time_ms", maintain_order=True)
    country = pl.lit(None, dtype=pl.String)
    return frame.with_columns(log_ms=pl.col("time_ms"), country=country)


def version_of(
    lines: pl.DataFrame, hidden: Collection[str], settings: TrainerSettings, fit: Fit, store: Path
) -> dict[str, Any]:
    """Blocks for minutes."""
    registry, key, nobody = Registry(store), Ed25519PrivateKey.generate(), NoneYet()
    tools = Tools(
        settings=settings,
        fit=fit,
        whole_lists=RankedLists(settings.tenant, RankingSettings(), dict),
        hidden=lambda: hidden,
        outlet=Outlet(
            name=(settings.tenant, settings.model_name),
            registry=registry,
            key=key,
            pointer=nobody,
            producer=nobody,
            topic="models",
            keep=settings.keep_versions,
        ),
        clock=wall_clock,
        stop=lambda: False,
    )
    began_ms = wall_clock()
    said = asyncio.run(train_version(Window(lines, {0: lines.height}), tools))
    newest = registry.newest(key.public_key(), settings.tenant, settings.model_name)
    manifest = cast("Manifest", newest)  # the pipeline registers no other
    return {
        "lines": lines.height,
        "chosen": str(manifest.network),
        "decision": str(said.decision),
        "seconds": round((wall_clock() - began_ms) / 1000, 1),
        **{
            f"{what}_recall_at_20": round(said.metrics[f"{what}_recall_at_20"], 4) for what in _TOLD
        },
        "fairness": msgspec.to_builtins(manifest.quality.fairness),
    }


_TOLD = ("model", "whole_list", "covisitation", "popularity")


def main(data: Path | None, networks: Sequence[Network], console: Console) -> dict[str, Any]:
    """By the defaults of the settings but for `networks`, whatever the environment says; alone in
    its process."""
    facts = machine()
    settings = TrainerSettings.model_construct(networks=tuple(networks))
    lines = window(data)
    console.print(f"A version from {lines.height:,} lines, by {', '.join(networks)} …")
    with tempfile.TemporaryDirectory() as store:
        hidden = NOT_GOODS if data is None else ()
        made = version_of(lines, hidden, settings, tensorflow(settings.threads), Path(store))
    return {
        "data": "online-retail" if data is None else data.resolve().name,
        "networks": [str(network) for network in networks],
        **made,
        "seed": [settings.seed],
        **facts,
    }
