"""The whole of ranking in one call: candidates, score, policy. State in, lists out, pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import NO_RULES, RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.candidates import propose
from millstream.ranking.candidates.source import Context, Taste, TasteModel
from millstream.ranking.exploration import name_trials, try_out
from millstream.ranking.items import Codes, ItemTable
from millstream.ranking.liking import praise, weigh
from millstream.ranking.policy import apply_rules
from millstream.ranking.policy.boosted import boost
from millstream.ranking.policy.pinned import place
from millstream.ranking.reasons import explain, name_rules
from millstream.ranking.score import Scored, score
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shop, Shopper
from millstream.ranking.variety import pooled, vary


@dataclass(frozen=True, slots=True)
class Ranked:
    """`lists[i]` belongs to the i-th shopper; `removed` counts by rule, `failed` by source."""

    lists: list[tuple[RankedItem, ...]]
    removed: Counter[str]
    failed: Counter[str]


def rank(  # noqa: PLR0913, PLR0917  the state that lists are made of
    shoppers: Sequence[Shopper],
    shop: Shop,
    model: TasteModel | None,
    settings: RankingSettings,
    now_ms: int,
    table: ItemTable | None = None,
    rules: RulesInForce = NO_RULES,
) -> Ranked:
    """`table`: what of this shop's items earlier batches turned into arrays; it changes no list,
    it spares doing so again. `rules`: of merchandisers."""
    batch = Batch(shoppers, ItemTable() if table is None else table)
    context = Context(shop, settings, taste_of(shoppers, model), now_ms, rules)
    proposed, failed = propose(batch, context)
    # proposed: per source up to `candidates` items of each shopper
    scored = score(proposed, batch, settings, context.blend)
    scored = boost(weigh(scored, batch, shop, settings), batch, shop, rules)
    # scored: (shoppers, w), each item once, best first
    kept = apply_rules(scored.items, batch, shop, pooled(settings), rules)
    # kept.columns: (shoppers, list_length), or more to choose from for variety
    lists = composed(kept.columns, scored, [source for source, _ in proposed], batch, context)
    # lists: at most `list_length` items each, with source and reason
    return Ranked(lists, kept.removed, failed)


def composed(
    columns: Codes, scored: Scored, sources: Sequence[Source], batch: Batch, context: Context
) -> list[tuple[RankedItem, ...]]:
    """The lists of the `columns` that policy keeps. `sources`: those that proposed, in order."""
    varied = vary(columns, scored, batch, context)
    tried = try_out(varied, scored, sources, batch, context)
    shop, rules = context.shop, context.rules
    placed = place(tried.columns, scored, batch, shop, context.settings, rules)
    lists = explain(scored, placed.columns, sources, batch, shop)
    lists = praise(lists, placed.columns, scored, batch, shop, context.settings)
    lists = name_trials(lists, placed.columns, tried)
    return name_rules(lists, placed, rules, shop)


def taste_of(shoppers: Sequence[Shopper], model: TasteModel | None) -> Taste | None:
    """The batch in the model's space; None while there is no model."""
    if model is None:
        return None
    vectors, known = model.user_vectors([(s.name, s.recent) for s in shoppers])
    return Taste(model, vectors, known)
