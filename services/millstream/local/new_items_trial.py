"""`millstream evaluate new-items`: what a title does for an item that nobody has touched.

On purchases of Online Retail, as `verify gate` has them: a tenth of the items is kept from the
training, and the visits after it that want one of them are asked for lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from millstream.domain.models import Network
from millstream.local.gate_trials import SERVING, World
from millstream.local.online_retail import goods, read_invoices
from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.encode import encode
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.new_items import with_new_items
from millstream.trainer.quality.ranks import score_ranks
from millstream.trainer.split import Query

K = 20
ONE_IN = 10


@dataclass(frozen=True)
class Held:
    """`asked`: the visits that want at least one of `items`, which no model has seen."""

    items: Vocabulary
    asked: Sequence[Query]

    def recall(self, scores: FloatArray, columns: Vocabulary) -> float:
        """Of the items wanted, the share among the first K; `scores` (visits, columns)."""
        found = wanted = 0
        for query, line in zip(self.asked, scores, strict=True):
            own = [item for item in query.wanted if item in self.items]
            ranks = score_ranks(line, columns.known_rows(own), len(own))
            found, wanted = found + int((ranks < K).sum()), wanted + len(own)
        return round(found / wanted, 4)


def evaluate_new_items(world: World, fit: Fit, tell: Callable[[str], None]) -> dict[str, Any]:
    """Blocks for a minute: a training of each network."""
    sold = Counter(world.before["item"].to_list())
    items = Vocabulary(sorted(item for item in sold if crc32(item.encode()) % ONE_IN == 0))
    asked = [query for query in world.exam.queries if _is_asked(query, items)]
    held = Held(items, asked)
    data = encode(world.before.filter(~pl.col("item").is_in(items.ids)), SERVING.recent_items)
    catalogue = {one.item_id: one for one in goods(read_invoices()) if one.item_id in sold}
    popular = _for_all(data.item_weights(), asked)
    own_sales = _for_all(np.array([sold[item] for item in items.ids], dtype=np.float32), asked)
    rows = [
        _row("popularity", held.recall(popular, data.items), None),
        _row("their own sales, which nobody knows", None, held.recall(own_sales, items)),
        _row("chance", None, round(K / len(items), 4)),
    ]
    for network in Network:
        tell(f"{network}: training on {len(data.touched.items):,} lines …")
        rule = world.settings.training(network)
        model = assemble(data, fit(data, rule, lambda _: False, None), SERVING, rule.ridge)
        rows.append(_figures(f"{network}, no text", held, model))
        rows.append(_figures(f"{network}, text", held, with_new_items(model, catalogue)))
    return {"rows": rows, "new_items": len(items), "items": len(sold), "visits": len(asked)}


def _is_asked(query: Query, new: Vocabulary) -> bool:
    """Of shoppers of whom something is known: others get what is popular."""
    wants_new = any(item in new for item in query.wanted)
    return wants_new and any(item not in new for item in query.recent_items)


def _for_all(scores: FloatArray, asked: Sequence[Query]) -> FloatArray:
    return np.tile(scores, (len(asked), 1))


def _figures(name: str, held: Held, model: Embeddings) -> dict[str, Any]:
    """Of what visitors touched, items that are new now are not known."""
    scorer = Scorer(model)
    vectors, _ = scorer.user_vectors(
        [(q.user, [t for t in q.touches if t.item_id not in held.items]) for q in held.asked]
    )
    scores = np.concatenate([block for _, block in scorer.all_scores(vectors)])
    new = Vocabulary([item for item in held.items.ids if item in scorer.items])
    among = held.recall(scores[:, scorer.items.rows(new.ids)], new) if len(new) else None
    return _row(name, held.recall(scores, scorer.items), among)


def _row(name: str, whole: float | None, among: float | None) -> dict[str, Any]:
    """`whole`: recall among all items; `among`: among the new ones alone."""
    return {"name": name, "recall_at_20": whole, "among_new": among}
