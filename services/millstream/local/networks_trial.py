"""`millstream evaluate networks`: what each network is worth by itself, and in a list.

Models and shop know the first part of a recording; the events after it are asked for lists. Of
Online Retail these are purchases, as `verify gate` has them, asked before the visit begins; of
RetailRocket's events the newest, asked inside visits for what is new to the shopper, since the
files have no view twice and few visits of one who was there before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from millstream.domain.events import Event
from millstream.domain.models import Network
from millstream.local.gate_trials import SERVING, World, online_retail_world
from millstream.local.retailrocket import RetailRocketReplay, read_rows
from millstream.model.embeddings import Embeddings, ServingRule
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


class Row(NamedTuple):
    """Of one seed. `figures`: recall and MRR at 20 of the model alone and of whole lists."""

    network: Network
    weight: float | str
    serving: ServingRule
    figures: dict[str, float]


def world_of(data: Path | None, settings: TrainerSettings) -> World:
    """Of Online Retail, which is shipped; else of RetailRocket's events in the folder. Blocks for
    seconds. Raises OperatorError where the folder is another."""
    if data is None:
        return online_retail_world(settings)
    columns = ["user", "event_id", "type", "item", "time_ms"]
    frame = pl.DataFrame(recorded_events(data)[-NEWEST:], columns, orient="row")
    lines = clean(frame, (), settings.cleaning()).lines
    border = frame["time_ms"][int(frame.height * LEARNT)]
    before = lines.filter(pl.col("time_ms") < border)
    rule = settings.measuring()
    asked = inner_queries(before, lines.filter(pl.col("time_ms") >= border), rule)
    return World(before, Exam.on(before, asked, rule.k), settings)


def recorded_events(data: Path) -> list[tuple[str, str, str, str, int]]:
    """(user, event_id, type, item, time_ms) of each item line of RetailRocket's events, in order of
    time. Raises OperatorError where the folder is another."""
    told = RetailRocketReplay().stream(read_rows(data))
    return [
        (event.shopper, event.event_id, str(event.type), line.item_id, event.time_ms)
        for event in told
        if isinstance(event, Event)
        for line in event.items
    ]


def evaluate_networks(
    world: World, fit: Fit, seeds: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Rows hold means over the seeds. Blocks for minutes: for each seed two trainings of each
    network, and all lists once per weight."""
    data = encode(world.before, SERVING.recent_items)
    lists = RankedLists("default", RankingSettings(), dict)
    shop = lists.standing(world.before)
    runs: list[list[Row]] = []
    for seed in range(1, seeds + 1):
        seeded = replace(world, settings=world.settings.model_copy(update={"seed": seed}))
        runs.append([])
        for network in Network:
            tell(f"{network}, seed {seed}: training on {world.before.height:,} lines …")
            for row in _rows(seeded, network, fit, (data, lists, shop)):
                runs[-1].append(row)
                tell(f"{row}")
    rows = [_over_seeds(same) for same in zip(*runs, strict=True)]
    return {"rows": rows, "seeds": seeds, **_facts(world, data)}


def _rows(
    world: World, network: Network, fit: Fit, known: tuple[Interactions, RankedLists, StandingShop]
) -> Iterator[Row]:
    data, lists, shop = known
    rule = world.settings.training(network)
    fitted = fit(data, rule, lambda _: False, None)
    ways: dict[float | str, ServingRule] = {
        weight: msgspec.structs.replace(SERVING, weight=weight) for weight in WEIGHTS
    }
    ways[LEARNT_WAY] = _learnt(world, network, fit, lists).serving
    for name, serving in ways.items():
        figures = _figures(world, assemble(data, fitted, serving, rule.ridge), shop)
        yield Row(network, name, serving, figures)


def _over_seeds(rows: Sequence[Row]) -> dict[str, Any]:
    """`spread`: the greatest less the least of the seeds; `ways`: what each of them chose."""
    one = rows[0]
    by_name = {name: [row.figures[name] for row in rows] for name in one.figures}
    told: dict[str, Any] = {
        "name": str(one.network),
        "weight": one.weight,
        **{name: round(float(np.mean(found)), 4) for name, found in by_name.items()},
        "spread": {name: round(float(np.ptp(found)), 4) for name, found in by_name.items()},
    }
    if one.weight == LEARNT_WAY:
        told["ways"] = [
            {"weight": row.serving.weight, "blend": msgspec.to_builtins(row.serving.blend)}
            for row in rows
        ]
    return told


def _learnt(world: World, network: Network, fit: Fit, lists: RankedLists) -> Learnt:
    """As production chooses, on the newest of the lines before the questions, by a training on the
    others."""
    settings = world.settings
    border = int(world.before.height * HELD_OUT)
    border_ms = world.before["time_ms"][border]
    is_held_out = pl.col("time_ms") >= border_ms
    train, held_out = world.before.filter(~is_held_out), world.before.filter(is_held_out)
    data = encode(train, SERVING.recent_items)
    fitted = fit(data, settings.training(network), lambda _: False, None)
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
