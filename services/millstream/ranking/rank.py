"""The whole of ranking in one call: candidates, score, policy. State in, lists out, pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from millstream.domain.lists import RankedItem
from millstream.ranking.candidates import propose
from millstream.ranking.candidates.source import Context, Taste, TasteModel
from millstream.ranking.policy import apply_rules
from millstream.ranking.reasons import explain
from millstream.ranking.score import score
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper


@dataclass(frozen=True, slots=True)
class Ranked:
    """`lists[i]` belongs to the i-th shopper; `removed` counts by rule, `failed` by source."""

    lists: list[tuple[RankedItem, ...]]
    removed: Counter[str]
    failed: Counter[str]


def rank(
    shoppers: Sequence[Shopper],
    shop: Shop,
    model: TasteModel | None,
    settings: RankingSettings,
    now_ms: int,
) -> Ranked:
    context = Context(shop, settings, taste_of(shoppers, model), now_ms)
    proposed, failed = propose(shoppers, context)
    # proposed: per shopper up to `candidates` of each source
    scored = score(proposed, settings)
    # scored: per shopper each item once, best first
    removed: Counter[str] = Counter()
    lists = []
    for shopper, ranked in zip(shoppers, scored, strict=True):
        kept, out = apply_rules(shopper, ranked, shop, settings)
        # kept: at most `list_length`
        removed.update(out)
        lists.append(tuple(explain(item, shopper, shop) for item in kept))
    return Ranked(lists, removed, failed)


def taste_of(shoppers: Sequence[Shopper], model: TasteModel | None) -> Taste | None:
    """The batch in the model's space; None while there is no model."""
    if model is None:
        return None
    vectors, known = model.user_vectors(
        [(s.name, [touch.item_id for touch in s.recent]) for s in shoppers]
    )
    return Taste(model, vectors, known)
