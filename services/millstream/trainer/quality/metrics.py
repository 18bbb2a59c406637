"""Recall, MRR and NDCG at k, for each query and for each shopper as well as the mean, so that two
models can be compared on the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from millstream.trainer.quality.ranks import Ranks

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Quality:
    """(n_queries,) each, from 0 to 1; `users` tells whose query it was."""

    k: int
    users: tuple[str, ...]
    recall: Values
    mrr: Values
    ndcg: Values

    def means(self) -> dict[str, float]:
        """Over queries; 0 where there are none."""
        return {
            name: float(values.mean()) if len(values) else 0.0
            for name, values in self.values().items()
        }

    def values(self) -> dict[str, Values]:
        """`recall_at_20` and so on."""
        named = {"recall": self.recall, "mrr": self.mrr, "ndcg": self.ndcg}
        return {f"{name}_at_{self.k}": values for name, values in named.items()}

    def per_user(self, values: Values) -> dict[str, float]:
        """The mean of one of the arrays over each shopper's own queries."""
        summed: dict[str, list[float]] = {}
        for user, value in zip(self.users, values, strict=True):
            summed.setdefault(user, []).append(float(value))
        return {user: sum(own) / len(own) for user, own in summed.items()}


def measure(users: Sequence[str], ranks: Sequence[Ranks], k: int) -> Quality:
    """`ranks`: per query, the rank of every item that was wanted (at least one)."""
    return Quality(
        k=k,
        users=tuple(users),
        recall=np.array([recall(line, k) for line in ranks]),
        mrr=np.array([reciprocal_rank(line, k) for line in ranks]),
        ndcg=np.array([ndcg(line, k) for line in ranks]),
    )


def recall(ranks: Ranks, k: int) -> float:
    """The share of the wanted items that stand in the first k places."""
    return float((ranks < k).mean())


def reciprocal_rank(ranks: Ranks, k: int) -> float:
    """1 / place of the first hit, 0 without one in the first k."""
    best = int(ranks.min())
    return 1.0 / (best + 1) if best < k else 0.0


def ndcg(ranks: Ranks, k: int) -> float:
    """Binary gains, log2 discount, relative to the best order of min(wanted, k) items
    (Järvelin and Kekäläinen 2002)."""
    hits = ranks[ranks < k].astype(np.float64)
    gained = float((1.0 / np.log2(hits + 2)).sum())
    best = float((1.0 / np.log2(np.arange(min(len(ranks), k)) + 2.0)).sum())
    return gained / best
