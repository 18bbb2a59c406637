"""The baseline model of user and item embeddings, as production trains and serves it, asked about
sessions: each training session is a user, and a session that it has not met is made a user from
its items."""

from __future__ import annotations

import numpy as np

from millstream.model.embeddings import Embeddings, FloatArray, ServingRule, recent_means
from millstream.model.sessions.session_log import Recent, SessionLog, recent
from millstream.model.vocabulary import Vocabulary
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import assemble
from millstream.trainer.settings import Training
from millstream.trainer.train import fit_network

_SERVING = ServingRule(recent_items=50, recent_half_life=5.0, recent_share=1.0)


class DotProduct:
    """A source: the probability of interest; zeros for an empty session."""

    def __init__(self, embeddings: Embeddings) -> None:
        self._embeddings = embeddings

    def scores(self, sessions: SessionLog) -> FloatArray:
        made = self._embeddings
        rows = _newest_first(recent(sessions, made.rule.recent_items), len(sessions))
        means = recent_means(made.item_vectors, rows, made.rule)
        logits = (means @ made.recent_to_user) @ made.item_vectors.T
        logits = logits * np.float32(made.dense_weight) + np.float32(made.dense_bias)
        probabilities = 1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0)))
        probabilities[sessions.lengths() == 0] = 0.0
        return np.asarray(probabilities, dtype=np.float32)


def fit_dot_product(log: SessionLog, items: int, rule: Training) -> DotProduct:
    """Blocks for minutes."""
    seen = recent(log, int(log.lengths().max(initial=1)))
    data = Interactions(
        users=Vocabulary(str(session) for session in range(len(log))),
        items=Vocabulary(str(item) for item in range(items)),
        user_rows=seen.session.astype(np.int32),
        item_rows=seen.item.astype(np.int32),
        weights=np.ones(len(seen.item), dtype=np.float32),
        recent=_newest_first(seen, len(log)),
        touched=log,
    )
    fitted = fit_network(data, rule, _never, None)
    return DotProduct(assemble(data, fitted, _SERVING, rule.ridge))


def _never(_share: float) -> bool:
    return False


def _newest_first(seen: Recent, sessions: int) -> list[list[int]]:
    bounds = np.searchsorted(seen.session, np.arange(1, sessions))
    return [rows.tolist() for rows in np.split(seen.item, bounds)]
