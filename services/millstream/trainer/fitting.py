"""What stage 5 promises, so that the other stages need no TensorFlow; and how its arrays become
a model that can be asked for lists."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from millstream.model.embeddings import (
    Embeddings,
    FloatArray,
    ServingRule,
    fit_recent_to_user,
    recent_means,
)
from millstream.model.sessions.encoder import EncoderArrays
from millstream.trainer.encode import Interactions
from millstream.trainer.settings import Training


class Stopped(Exception):  # noqa: N818  asked for, not an error
    """The process was told to end; nothing of this training is kept."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """(n_users, d), (n_items, d), the Dense layer's two numbers, the loss after each epoch; and
    what reads the recent items, where that was learnt too."""

    user_vectors: FloatArray
    item_vectors: FloatArray
    dense_weight: float
    dense_bias: float
    losses: tuple[float, ...]
    encoder: EncoderArrays | None = None


Stop = Callable[[], bool]
"""Whether the process was told to end."""

Watch = Callable[[float], bool]
"""Told, between steps, what share of a fit is done; answers whether to stop."""

Fit = Callable[[Interactions, Training, Watch, Path | None], Fitted]
"""Pairs, settings, who watches, where the curves go. Blocks. Raises Stopped soon after the third
one's answer turns true."""


def assemble(data: Interactions, fitted: Fitted, serving: ServingRule, ridge: float) -> Embeddings:
    """The arrays of a version: the network's, and the map from recent items to a shopper, fitted
    on the shoppers who were trained."""
    means = recent_means(fitted.item_vectors, data.recent, serving)
    return Embeddings(
        users=data.users,
        items=data.items,
        user_vectors=fitted.user_vectors,
        item_vectors=fitted.item_vectors,
        recent_to_user=fit_recent_to_user(means, fitted.user_vectors, ridge),
        dense_weight=fitted.dense_weight,
        dense_bias=fitted.dense_bias,
        rule=serving,
        encoder=fitted.encoder,
    )
