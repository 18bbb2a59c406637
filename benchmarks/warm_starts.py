"""`millstream bench warm-starts`: versions that go on from each other, beside ones that learn anew.

A recording in order of time: the first half of its lines is learnt by one version, from which
others go on, one after the other, each with the next of as many equal parts as there are versions.
Beside each stands one that learns from everything up to there, as the default has it. Both, and the
first version as it was, are asked about what every event of the part after it touches, by the model
alone.

All are of one network, the dot product or the session encoder.

Seconds are of CPU, from lines to the arrays of a version: ids, where new rows begin, the network,
the map of recent items. `setup` is what both spend however little there is to learn from, for the
dot product most of it TensorFlow's compiling: a training of one epoch on a hundred pairs, or
shoppers. `share` is what going on takes of learning anew, with all of that in both, and
`share_without_setup` without it. `first` is what the first training of a process takes longer than
a second one of the same thousand lines, once in a process however many versions it makes; it is in
no other figure."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from benchmarks.machine import machine
from benchmarks.training import purchased_lines
from rich.console import Console

from millstream.domain.models import Network
from millstream.local.gate_trials import SERVING
from millstream.local.networks_trial import recorded_events
from millstream.local.online_retail_catalogue import NOT_GOODS
from millstream.model.embeddings import Embeddings
from millstream.model.scorer import Scorer
from millstream.trainer.clean import clean
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.evaluate import measure_model
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.settings import TrainerSettings, Training
from millstream.trainer.split import Query, evenly, next_queries
from millstream.trainer.warm_start import going_on
from millstream.trainer.wiring import tensorflow

_ASKED = 1_000
_FEW = 100
_COLUMNS = ["user", "event_id", "type", "item", "time_ms"]


@dataclass(frozen=True)
class Made:
    data: Interactions
    model: Embeddings
    cpu_seconds: float


@dataclass(frozen=True)
class Turn:
    """What the versions of a turn may know (n, 6), until when the one before knew it, and what they
    are asked."""

    known: pl.DataFrame
    seen_until_ms: int
    asked: Sequence[Query]


def recording(data: Path | None, settings: TrainerSettings) -> pl.DataFrame:
    """(n, 6) as stage 2 gives them: Online Retail's purchases, else RetailRocket's events of the
    folder. Blocks for seconds. Raises OperatorError where the folder is another."""
    rows = list(purchased_lines()) if data is None else recorded_events(data)
    frame = pl.DataFrame(rows, _COLUMNS, orient="row")
    return clean(frame, NOT_GOODS if data is None else (), settings.cleaning()).lines


def turns(lines: pl.DataFrame, versions: int, settings: TrainerSettings) -> list[Turn]:
    """`versions` + 1 of them, the first without anything that was seen before."""
    times = lines["time_ms"].to_numpy()
    places = np.linspace(len(times) / 2, len(times), versions + 2).astype(int)
    cuts = [int(np.searchsorted(times, times[place - 1], side="right")) for place in places]
    found, seen_until_ms = [], int(times[0]) - 1
    for first, end in pairwise(cuts):
        known = lines[:first]
        asked = next_queries(known, lines[first:end], settings.measuring())
        found.append(Turn(known, seen_until_ms, evenly(asked, _ASKED)))
        seen_until_ms = int(times[first - 1])
    return found


def compare(
    told: Sequence[Turn], settings: TrainerSettings, fit: Fit, console: Console
) -> list[dict[str, Any]]:
    """A row for each turn after the first. Blocks for minutes."""
    stale = warm = _anew(told[0], settings, fit)
    rows = []
    for number, turn in enumerate(told[1:], start=1):
        full = _anew(turn, settings, fit)
        warm = _gone_on(turn, warm.model, settings, fit)
        figures = {
            name: {"cpu_seconds": round(made.cpu_seconds, 2), **_asked(turn, made, settings)}
            for name, made in (("full", full), ("warm", warm), ("stale", stale))
        }
        rows.append({"version": number, "lines": turn.known.height, **figures})
        console.print(f"version {number}: {figures}", markup=False)
    return rows


def setup_seconds(turn: Turn, settings: TrainerSettings, fit: Fit) -> float:
    data = encode(turn.known, SERVING.recent_items)
    touched = data.touched
    few = replace(
        data,
        user_rows=data.user_rows[:_FEW],
        item_rows=data.item_rows[:_FEW],
        weights=data.weights[:_FEW],
        touched=touched.cut(
            touched.starts[:-1], np.where(np.arange(len(touched)) < _FEW, touched.lengths(), 0)
        ),
    )
    return _fit_seconds(few, settings, fit)


def _fit_seconds(data: Interactions, settings: TrainerSettings, fit: Fit) -> float:
    """Of one epoch."""
    once = msgspec.structs.replace(_rule(settings), epochs=1, session_epochs=1)
    began = time.process_time()
    fit(data, once, lambda _: False, None)
    return time.process_time() - began


def _anew(turn: Turn, settings: TrainerSettings, fit: Fit) -> Made:
    began = time.process_time()
    data = encode(turn.known, SERVING.recent_items)
    return _fitted(data, _rule(settings), fit, began)


def _gone_on(turn: Turn, begun: Embeddings, settings: TrainerSettings, fit: Fit) -> Made:
    began = time.process_time()
    data = going_on(turn.known, begun, turn.seen_until_ms, SERVING.recent_items)
    return _fitted(data, settings.warm_training(*settings.networks), fit, began)


def _rule(settings: TrainerSettings) -> Training:
    return settings.training(*settings.networks)


def _fitted(data: Interactions, rule: Training, fit: Fit, began: float) -> Made:
    model = assemble(data, fit(data, rule, lambda _: False, None), SERVING, rule.ridge)
    return Made(data, model, time.process_time() - began)


def _asked(turn: Turn, made: Made, settings: TrainerSettings) -> dict[str, float]:
    k = settings.measuring().k
    means = measure_model(made.data, Scorer(made.model), turn.asked, k).means()
    return {name: round(means[name], 4) for name in (f"recall_at_{k}", f"mrr_at_{k}")}


def _means(rows: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    """Over the versions."""
    return {
        key: round(float(np.mean([row[name][key] for row in rows])), 4) for key in rows[0][name]
    }


def main(
    data: Path | None, versions: int, only: int | None, network: Network, console: Console
) -> dict[str, Any]:
    """Of the `versions` the first `only` are made, or all. By the defaults of the settings,
    whatever the environment says; alone in its process."""
    facts, settings = machine(), TrainerSettings.model_construct(networks=(network,))
    told = turns(recording(data, settings), versions, settings)[: 1 + (only or versions)]
    fit = tensorflow(settings.threads)
    first, second = (_fit_seconds(encode(told[0].known[:1_000], 1), settings, fit) for _ in "12")
    setup = setup_seconds(told[-1], settings, fit)
    rows = compare(told, settings, fit, console)
    means = {name: _means(rows, name) for name in ("full", "warm", "stale")}
    full, warm = means["full"]["cpu_seconds"], means["warm"]["cpu_seconds"]
    return {
        "data": "online-retail" if data is None else data.resolve().name,
        "network": str(network),
        "versions": versions,
        "rows": rows,
        **means,
        "first_cpu_seconds": round(first - second, 2),
        "setup_cpu_seconds": round(setup, 2),
        "share": round(warm / full, 3),
        "share_without_setup": round((warm - setup) / (full - setup), 3),
        "seed": [settings.seed],
        **facts,
    }
