"""One shopper's list taken apart: what each source said for an item, and what was taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.domain.lists import RankedItem, Source
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import propose
from millstream.ranking.candidates.source import Context, TasteModel
from millstream.ranking.items import NOTHING, ItemTable
from millstream.ranking.policy import apply_rules, judge
from millstream.ranking.policy.rule import Lines
from millstream.ranking.rank import taste_of
from millstream.ranking.reasons import explain
from millstream.ranking.score import score
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper


@dataclass(frozen=True, slots=True)
class Dissected:
    """`items`: the list as rank() makes it. `parts`: by item of all candidates what each source
    adds to its score. `removed`: (item, score, rule) of those with a better score than the last
    of the list, best first."""

    items: tuple[RankedItem, ...]
    parts: dict[str, dict[Source, float]]
    removed: tuple[tuple[str, float, str], ...]


def dissect(
    shopper: Shopper, shop: Shop, model: TasteModel | None, settings: RankingSettings, now_ms: int
) -> Dissected:
    batch = Batch([shopper], ItemTable())
    proposed, _ = propose(batch, Context(shop, settings, taste_of([shopper], model), now_ms))
    scored = score(proposed, batch, settings)
    columns = apply_rules(scored.items, batch, shop, settings).columns
    ids = batch.table.ids
    parts: dict[str, dict[Source, float]] = {}
    for source, candidates in proposed:
        weight = settings.weights.get(source, 0.0)
        for code, strength in zip(candidates.items, candidates.strengths, strict=True):
            parts.setdefault(ids[code], {})[source] = round(float(weight * strength), 4)
    facts = batch.table.facts(scored.items, shop)
    alone = np.zeros(1, dtype=np.int64)
    _, out = judge(Lines(scored.items, alone, batch, shop, facts, settings))
    taken = {int(place): name for name, mask in out.items() for place in np.flatnonzero(mask[0])}
    kept = columns[0][columns[0] != NOTHING]
    full = len(kept) >= settings.list_length
    end = int(kept[-1]) if full else scored.items.shape[1]
    return Dissected(
        explain(scored, columns, [source for source, _ in proposed], batch, shop)[0],
        parts,
        tuple(
            (ids[scored.items[0, place]], round(float(scored.scores[0, place]), 4), taken[place])
            for place in sorted(taken)
            if place < end
        ),
    )
