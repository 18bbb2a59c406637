"""A Fit for purchases of Online Retail without TensorFlow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.encoders import mean_encoder, unit

from millstream.domain.models import Network
from millstream.trainer.encode import Interactions
from millstream.trainer.fitting import Fitted, Watch
from millstream.trainer.settings import Training


def factorise(data: Interactions, rule: Training, watch: Watch, log_dir: Path | None) -> Fitted:
    """The strongest directions of users x items by subspace iteration; a seed moves them a bit,
    as it moves a network."""
    rng = np.random.default_rng(rule.seed)
    table = np.zeros((len(data.users), len(data.items)), dtype=np.float32)
    table[data.user_rows, data.item_rows] = np.log1p(data.weights)
    basis = rng.normal(size=(len(data.items), 16)).astype(np.float32)
    for _ in range(4):
        basis = np.linalg.qr(table.T @ (table @ basis))[0]
    return Fitted(table @ basis, basis, 1.0, 0.0, (0.0,))


def factorised_network(data: Interactions, rule: Training, *_: object) -> Fitted:
    """`factorise`, for a session encoder with unit items and one that takes the mean."""
    fitted = factorise(data, rule, lambda _: False, None)
    if rule.network is Network.DOT_PRODUCT:
        return fitted
    items = unit(fitted.item_vectors + 1e-6)
    return replace(fitted, item_vectors=items, dense_weight=2.0, encoder=mean_encoder(items))
