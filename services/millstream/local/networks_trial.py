"""`millstream evaluate networks`: what each network is worth by itself, and in a list.

Models and shop know the first part of a recording; the events after it are asked for lists. Of
Online Retail these are purchases, as `verify gate` has them, asked before the visit begins; of
RetailRocket's events the newest, asked inside visits for what is new to the shopper, since the
files have no view twice and few visits of one who was there before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from millstream.domain.events import Event
from millstream.domain.models import Network
from millstream.local.gate_trials import SERVING, World, online_retail_world
from millstream.local.retailrocket import RetailRocketReplay, read_rows
from millstream.model.embeddings import Embeddings
from millstream.model.scorer import Scorer
from millstream.ranking.settings import RankingSettings
from millstream.trainer.clean import clean
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.gate.exam import MODEL, WHOLE_LIST, Exam, measured, sit
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.split import Parts, inner_queries
from millstream.trainer.ways import Learnt, blended
from millstream.trainer.whole_list import RankedLists, StandingShop

WEIGHTS = (1.0, 0.5, 0.2, 0.0)
"""0: what a list is without a model."""
NEWEST = 150_000
LEARNT = 0.8
HELD_OUT = 0.93
"""From there on lines are held out to choose on: a fifteenth of the window, as in production."""
LEARNT_WAY = "learnt"


def world_of(data: Path | None, settings: TrainerSettings) -> World:
    """Of Online Retail, which is shipped; else of RetailRocket's events in the folder. Blocks for
    seconds. Raises OperatorError where the folder is another."""
    if data is None:
        return online_retail_world(settings)
    told = RetailRocketReplay().stream(read_rows(data))
    events = [event for event in told if isinstance(event, Event)][-NEWEST:]
    rows = [
        (event.shopper, event.event_id, str(event.type), line.item_id, event.time_ms)
        for event in events
        for line in event.items
    ]
    columns = ["user", "event_id", "type", "item", "time_ms"]
    frame = pl.DataFrame(rows, columns, orient="row")
    lines = clean(frame, (), settings.cleaning()).lines
    border = frame["time_ms"][int(frame.height * LEARNT)]
    before = lines.filter(pl.col("time_ms") < border)
    rule = settings.measuring()
    asked = inner_queries(before, lines.filter(pl.col("time_ms") >= border), rule)
    return World(before, Exam.on(before, asked, rule.k), settings)


def evaluate_networks(world: World, fit: Fit, tell: Callable[[str], None]) -> dict[str, Any]:
    """Blocks for minutes: a training of each network, and all lists once per weight."""
    data = encode(world.before, SERVING.recent_items)
    lists = RankedLists("default", RankingSettings(), dict)
    shop = lists.standing(world.before)
    rows: list[dict[str, Any]] = []
    for network in Network:
        tell(f"{network}: training on {world.before.height:,} lines …")
        rule = world.settings.training(network)
        fitted = fit(data, rule, lambda: False, None)
        for weight in WEIGHTS:
            serving = msgspec.structs.replace(SERVING, weight=weight)
            model = assemble(data, fitted, serving, rule.ridge)
            rows.append({"name": str(network), "weight": weight, **_figures(world, model, shop)})
            tell(f"{rows[-1]}")
        serving = _learnt(world, network, fit, lists).serving
        model = assemble(data, fitted, serving, rule.ridge)
        rows.append({"name": str(network), "weight": LEARNT_WAY, **_figures(world, model, shop)})
        rows[-1]["blend"] = None if serving.blend is None else msgspec.to_builtins(serving.blend)
        tell(f"{rows[-1]}")
    return {"rows": rows, **_facts(world, data)}


def _learnt(world: World, network: Network, fit: Fit, lists: RankedLists) -> Learnt:
    """As production chooses, on the newest of the lines before the questions, by a training on the
    others."""
    settings = world.settings
    border = int(world.before.height * HELD_OUT)
    border_ms = world.before["time_ms"][border]
    is_held_out = pl.col("time_ms") >= border_ms
    train, held_out = world.before.filter(~is_held_out), world.before.filter(is_held_out)
    data = encode(train, SERVING.recent_items)
    fitted = fit(data, settings.training(network), lambda: False, None)
    learnt = Learnt(network, SERVING, data, fitted)
    parts = Parts(train, held_out, held_out.clear())
    return blended([learnt], parts, lists.standing(train), settings)


def _figures(world: World, model: Embeddings, shop: StandingShop) -> dict[str, float]:
    """Means over shoppers."""
    exam, found = world.exam, dict[str, float]()
    for name, lists in sit(exam, Scorer(model), shop).items():
        quality = measured(exam, lists, exam.segments[0])
        for metric, values in (("recall_at_20", quality.recall), ("mrr_at_20", quality.mrr)):
            mean = np.mean(list(quality.per_user(values).values()))
            found[f"{_NAMES[name]}_{metric}"] = round(float(mean), 4)
    return found


_NAMES = {MODEL: "model", WHOLE_LIST: "list"}


def _facts(world: World, data: Interactions) -> dict[str, int]:
    return {
        "lines": world.before.height,
        "users": len(data.users),
        "items": len(data.items),
        "questions": len(world.exam.queries),
    }
