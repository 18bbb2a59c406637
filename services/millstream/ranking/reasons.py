"""Why an item stands in a list, in a sentence that a merchandiser can read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from millstream.domain.lists import RankedItem, Source
from millstream.ranking.batch import Batch
from millstream.ranking.items import NOTHING, Codes
from millstream.ranking.score import Scored
from millstream.ranking.shop import Shop


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
            case Source.POPULAR:
                return "popular lately"
            case Source.NEW:
                return "new in the shop"

    def _name(self, code: int) -> str:
        if code == NOTHING:
            return "what you saw"
        item_id = self._ids[code]
        item = self._shop.item(item_id)
        return item.title if item is not None and item.title else item_id
