"""One shopper's list taken apart: what each source said for an item, and what was taken out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import propose
from millstream.ranking.candidates.source import Context, TasteModel
from millstream.ranking.items import NOTHING, ItemTable
from millstream.ranking.policy import apply_rules, judge
from millstream.ranking.policy.boosted import boost
from millstream.ranking.policy.rule import Lines
from millstream.ranking.rank import composed, taste_of
from millstream.ranking.score import score
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper
from millstream.ranking.variety import pooled
from millstream.ranking.worth import worths


@dataclass(frozen=True, slots=True)
class Dissected:
    """`items`: the list as rank() makes it. `parts`: by item of all candidates what each source
    adds to its score. `removed`: (item, score, rule) of those with a better score than the last
    of the list, best first; pinned ones aside."""

    items: tuple[RankedItem, ...]
    parts: dict[str, dict[Source, float]]
    removed: tuple[tuple[str, float, str], ...]


def dissect(
    shopper: Shopper,
    shop: Shop,
    model: TasteModel | None,
    settings: RankingSettings,
    now_ms: int,
    rules: RulesInForce = NO_RULES,
) -> Dissected:
    batch = Batch([shopper], ItemTable())
    context = Context(shop, settings, taste_of([shopper], model), now_ms, rules)
    proposed, _ = propose(batch, context)
    scored = boost(score(proposed, batch, settings, context.blend), batch, shop, rules)
    columns = apply_rules(scored.items, batch, shop, pooled(settings), rules).columns
    sources = [source for source, _ in proposed]
    (line,) = composed(columns, scored, sources, batch, context)
    ids = batch.table.ids
    parts: dict[str, dict[Source, float]] = {}
    added = worths(proposed, settings, context.blend)
    for (source, candidates), worth in zip(proposed, added, strict=True):
        for code, part in zip(candidates.items, worth, strict=True):
            parts.setdefault(ids[code], {})[source] = round(float(part), 4)
    facts = batch.table.facts(scored.items, shop)
    alone = np.zeros(1, dtype=np.int64)
    _, out = judge(Lines(scored.items, alone, batch, shop, facts, settings, rules))
    taken = {int(place): name for name, mask in out.items() for place in np.flatnonzero(mask[0])}
    kept = columns[0][columns[0] != NOTHING]
    full = len(kept) >= pooled(settings).list_length
    end = int(kept[-1]) if full else scored.items.shape[1]
    return Dissected(
        line,
        parts,
        tuple(
            (ids[scored.items[0, place]], round(float(scored.scores[0, place]), 4), taken[place])
            for place in sorted(taken)
            if place < end
        ),
    )
