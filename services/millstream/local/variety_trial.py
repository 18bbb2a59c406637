"""`millstream evaluate variety`: what unlike items and a place for the unknown cost and bring.

On purchases of Online Retail, as `verify gate` has them: the model and the shop know the first
lines, the visits after them are asked for lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.local.gate_trials import SERVING, World
from millstream.model.scorer import Scorer
from millstream.ranking.settings import RankingSettings
from millstream.trainer.encode import encode
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.gate.bounds import exposure
from millstream.trainer.gate.exam import measured
from millstream.trainer.quality.variety import likeness, novelty
from millstream.trainer.whole_list import RankedLists

STRENGTHS = (0.1, 0.2, 0.3, 0.5)


def variants() -> Iterator[tuple[str, RankingSettings]]:
    base = RankingSettings(variety=0.0, explore_place=0)
    yield "off", base
    for share in STRENGTHS:
        yield f"variety {share}", msgspec.structs.replace(base, variety=share)
    last = base.list_length
    yield "explore", msgspec.structs.replace(base, explore_place=last)
    yield "variety 0.2, explore", msgspec.structs.replace(base, variety=0.2, explore_place=last)


def evaluate_variety(world: World, fit: Fit, tell: Callable[[str], None]) -> dict[str, Any]:
    """Blocks: a training, and all lists once per variant."""
    rule = world.settings.training()
    data = encode(world.before, SERVING.recent_items)
    tell(f"Training on {world.before.height:,} lines …")
    scorer = Scorer(assemble(data, fit(data, rule, lambda _: False, None), SERVING, rule.ridge))
    catalogue, sold = _catalogue(world), Counter(world.before["item"].to_list())
    rows = []
    for name, settings in variants():
        shop = RankedLists("default", settings, lambda: catalogue).standing(world.before)
        lists = [line[: world.exam.k] for line in shop(world.exam.queries, scorer)]
        rows.append({"name": name, **_figures(world, lists, sold, scorer)})
        tell(f"{rows[-1]}")
    return {"rows": rows, "queries": len(world.exam.queries), "items": len(world.exam.known_items)}


def _figures(
    world: World, lists: Sequence[Sequence[str]], sold: Counter[str], scorer: Scorer
) -> dict[str, float]:
    exam = world.exam
    quality = measured(exam, lists, exam.segments[0])
    shown = exposure(lists, exam.known_items, exam.groups.head_items)
    return {
        "recall_at_20": round(_mean(quality.per_user(quality.recall).values()), 4),
        "mrr_at_20": round(_mean(quality.per_user(quality.mrr).values()), 4),
        "coverage": round(shown.coverage, 4),
        "tail_share": round(shown.tail_share, 4),
        "novelty_bits": round(novelty(lists, sold), 3),
        "likeness": round(likeness(lists, scorer), 4),
    }


def _mean(values: Any) -> float:
    found = list(values)
    return float(sum(found) / len(found))


def _catalogue(world: World) -> dict[str, CatalogueItem]:
    """Every item from when it was first sold, which tells the new ones."""
    first = world.before.group_by("item").agg(pl.col("time_ms").min())
    return {
        item: CatalogueItem(item_id=item, added_at=as_datetime(ms)) for item, ms in first.rows()
    }
