"""Why an item stands in a list, in a sentence that a merchandiser can read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from millstream.domain.lists import RankedItem, Source
from millstream.domain.rules import NamedRule, RulesInForce
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes
from millstream.ranking.policy.pinned import Placed
from millstream.ranking.score import Scored
from millstream.ranking.shop import Shop

_PLAINLY = {
    Source.POPULAR: "popular lately",
    Source.NEW: "new in the shop",
    Source.RULE: "offered by a rule",
}


def explain(
    scored: Scored, columns: Codes, sources: Sequence[Source], batch: Batch, shop: Shop
) -> list[tuple[RankedItem, ...]]:
    """The lists that the `columns` (n, length) of `scored` make; NOTHING stands for no item.
    `sources`: those that proposed, in their order."""
    lines, places = np.nonzero(columns != NOTHING)
    chosen = columns[lines, places]
    items, leads = scored.items[lines, chosen], scored.leads[lines, chosen]
    source = np.searchsorted(scored.starts, leads, side="right") - 1
    because = scored.because[leads]
    repeated = np.isin(source, [i for i, s in enumerate(sources) if s is Source.REPEAT])
    because[repeated] = batch.bought(items[repeated, None], lines[repeated]).ravel()
    ids, sentences = batch.table.ids, Sentences(sources, batch, shop)
    ranked = [
        RankedItem(ids[item], score, sources[said[0]], sentences[said])
        for item, score, said in zip(
            items.tolist(),
            scored.scores[lines, chosen].round(6).tolist(),
            zip(source.tolist(), because.tolist(), strict=True),
            strict=True,
        )
    ]
    ends = np.cumsum(np.bincount(lines, minlength=len(batch))).tolist()
    return [tuple(ranked[a:b]) for a, b in pairwise([0, *ends])]


def name_rules(
    lists: list[tuple[RankedItem, ...]], placed: Placed, rules: RulesInForce, shop: Shop
) -> list[tuple[RankedItem, ...]]:
    """The lists of `placed.columns`, with the rules that moved an item in its reason; the very same
    where none did."""
    if rules.boosts:
        boosted = Boosted(rules.boosts, shop)
        lists = [tuple(map(boosted.named, line)) for line in lists]
    if not placed.pins:
        return lists
    columns = placed.columns.tolist()
    return [
        tuple(
            _pinned(item, pins[column]) if column in pins else item
            for item, column in zip(line, columns[i], strict=False)
        )
        for i, (line, pins) in enumerate(zip(lists, placed.pins, strict=True))
    ]


def _pinned(item: RankedItem, rule_id: str) -> RankedItem:
    return RankedItem(item.item_id, item.score, Source.RULE, f"pinned by rule {rule_id}")


class Boosted(dict[str, str]):
    """By item what is to be added to its reason; each is worked out once."""

    def __init__(self, boosts: Sequence[NamedRule], shop: Shop) -> None:
        super().__init__()
        self._boosts = boosts
        self._shop = shop

    def named(self, item: RankedItem) -> RankedItem:
        said = self[item.item_id]
        if not said:
            return item
        return RankedItem(item.item_id, item.score, item.source, f"{item.reason}, {said}")

    def __missing__(self, item_id: str) -> str:
        entry = self._shop.item(item_id)
        category = entry.category if entry is not None else ""
        said = self[item_id] = ", ".join(
            f"{'raised' if (terms.factor or 1) >= 1 else 'lowered'} by rule {rule_id}"
            for rule_id, terms in self._boosts
            if terms.item_id == item_id or (category and terms.category == category)
        )
        return said


class Sentences(dict[tuple[int, int], str]):
    """By place of the source and code of the item that led on (for repeats: whether it was bought);
    each is written once a batch."""

    def __init__(self, sources: Sequence[Source], batch: Batch, shop: Shop) -> None:
        super().__init__()
        self._sources = sources
        self._ids = batch.table.ids
        self._shop = shop

    def __missing__(self, key: tuple[int, int]) -> str:
        source, because = self._sources[key[0]], key[1]
        sentence = self[key] = self._say(source, because)
        return sentence

    def _say(self, source: Source, because: int) -> str:
        match source:
            case Source.REPEAT:
                return "you bought it before" if because else "you looked at it lately"
            case Source.COVISITED:
                return f"others took it with {self._name(because)}"
            case Source.EMBEDDING if because != NOTHING:
                return f"close to your taste, after {self._name(because)}"
            case Source.EMBEDDING:
                return "close to your taste"
            case _:
                return _PLAINLY[source]

    def _name(self, code: int) -> str:
        if code == NOTHING:
            return "what you saw"
        item_id = self._ids[code]
        item = self._shop.item(item_id)
        return item.title if item is not None and item.title else item_id
