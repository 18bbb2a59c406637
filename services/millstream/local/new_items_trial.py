"""`millstream evaluate new-items`: what a title does for an item that nobody has touched.

On purchases of Online Retail, as `verify gate` has them: a tenth of the items is kept from the
training, and the visits after it that want one of them are asked for lists. Texts are read by their
letters, as production reads them, and by word vectors beside that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple
from zlib import crc32

import msgspec
import numpy as np
import polars as pl

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.errors import OperatorError
from millstream.domain.models import Network
from millstream.local.gate_trials import SERVING, World
from millstream.local.online_retail import goods, read_invoices
from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.scorer import Scorer
from millstream.model.vocabulary import Vocabulary
from millstream.model.word_vectors import WordVectors
from millstream.search.meaning import Meaning, hashed
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.fitting import Fit, assemble
from millstream.trainer.new_items import with_new_items
from millstream.trainer.quality.ranks import score_ranks
from millstream.trainer.settings import Training
from millstream.trainer.split import Query

K = 20
ONE_IN = 10


class Row(NamedTuple):
    """`recall_at_20`: of the new items among all; `among_new`: among the new ones alone."""

    name: str
    recall_at_20: float | None
    among_new: float | None = None

    def figures(self) -> dict[str, float | None]:
        return {"recall_at_20": self.recall_at_20, "among_new": self.among_new}

    def told(self) -> dict[str, Any]:
        rounded = {k: None if v is None else round(v, 4) for k, v in self.figures().items()}
        return {"name": self.name, **rounded}


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
        return found / wanted


@dataclass(frozen=True)
class Shop:
    """`data`: what was touched, without the items that are held; `catalogue`: of all items.
    `readers`: ways to read a text, by name."""

    held: Held
    data: Interactions
    catalogue: Mapping[str, CatalogueItem]
    readers: Mapping[str, Meaning]


def text_readers(tell: Callable[[str], None]) -> dict[str, Meaning]:
    """Word vectors only where the extra `text` is there. Takes a second."""
    readers: dict[str, Meaning] = {"letters": hashed}
    try:
        readers["word vectors"] = WordVectors().unit
    except OperatorError as error:
        tell(f"no rows by word vectors: {error}")
    return readers


def evaluate_new_items(
    world: World, fit: Fit, readers: Mapping[str, Meaning], seeds: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Rows of networks hold means over the seeds. Blocks for a minute a seed: a training of each
    network."""
    sold = Counter(world.before["item"].to_list())
    items = Vocabulary(sorted(item for item in sold if crc32(item.encode()) % ONE_IN == 0))
    asked = [query for query in world.exam.queries if _is_asked(query, items)]
    held = Held(items, asked)
    data = encode(world.before.filter(~pl.col("item").is_in(items.ids)), SERVING.recent_items)
    catalogue = {one.item_id: one for one in goods(read_invoices()) if one.item_id in sold}
    shop = Shop(held, data, catalogue, readers)
    popular = _for_all(data.item_weights(), asked)
    own_sales = _for_all(np.array([sold[item] for item in items.ids], dtype=np.float32), asked)
    runs: list[list[Row]] = []
    for seed in range(1, seeds + 1):
        tell(f"seed {seed}: training on {len(data.touched.items):,} lines …")
        rules = (world.settings.training(network) for network in Network)
        seeded = [msgspec.structs.replace(rule, seed=seed) for rule in rules]
        runs.append(list(chain.from_iterable(_rows(rule, fit, shop) for rule in seeded)))
    rows = [
        Row("popularity", held.recall(popular, data.items)).told(),
        Row("their own sales, which nobody knows", None, held.recall(own_sales, items)).told(),
        Row("chance", None, K / len(items)).told(),
        *(_over_seeds(same) for same in zip(*runs, strict=True)),
    ]
    facts = {"new_items": len(items), "items": len(sold), "visits": len(asked)}
    return {"rows": rows, "seeds": seeds, **facts}


def _is_asked(query: Query, new: Vocabulary) -> bool:
    """Of shoppers of whom something is known: others get what is popular."""
    wants_new = any(item in new for item in query.wanted)
    return wants_new and any(item not in new for item in query.recent_items)


def _for_all(scores: FloatArray, asked: Sequence[Query]) -> FloatArray:
    return np.tile(scores, (len(asked), 1))


def _rows(rule: Training, fit: Fit, shop: Shop) -> Iterator[Row]:
    model = assemble(shop.data, fit(shop.data, rule, lambda _: False, None), SERVING, rule.ridge)
    yield _asked(f"{rule.network}, no text", shop.held, model)
    for name, read in shop.readers.items():
        placed = with_new_items(model, shop.catalogue, read)
        yield _asked(f"{rule.network}, text by {name}", shop.held, placed)


def _asked(name: str, held: Held, model: Embeddings) -> Row:
    """Of what visitors touched, items that are new now are not known."""
    scorer = Scorer(model)
    vectors, _ = scorer.user_vectors(
        [(q.user, [t for t in q.touches if t.item_id not in held.items]) for q in held.asked]
    )
    scores = np.concatenate([block for _, block in scorer.all_scores(vectors)])
    new = Vocabulary([item for item in held.items.ids if item in scorer.items])
    among = held.recall(scores[:, scorer.items.rows(new.ids)], new) if len(new) else None
    return Row(name, held.recall(scores, scorer.items), among)


def _over_seeds(rows: Sequence[Row]) -> dict[str, Any]:
    """`spread`: the greatest less the least of the seeds."""
    figures = {name: [one.figures()[name] for one in rows] for name in rows[0].figures()}
    known = {name: [v for v in values if v is not None] for name, values in figures.items()}
    means = [float(np.mean(values)) if values else None for values in known.values()]
    spread = {name: round(float(np.ptp(values)), 4) for name, values in known.items() if values}
    return {**Row(rows[0].name, *means).told(), "spread": spread}
