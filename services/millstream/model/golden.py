"""A version that verifies can still be useless: it is asked for lists before it serves one."""

from __future__ import annotations

import numpy as np

from millstream.model.manifest import ArtifactRefused
from millstream.model.scorer import Scorer, Shopper

_LIST = 20
_STRANGER = "\x00 no shopper can have this id"
_ITEMS = 5


def check_golden(scorer: Scorer) -> None:
    """Known shoppers, a stranger with recent items and a stranger without: vectors and scores
    have the right shape and are finite, lists hold each item once, likeliest first.

    Raises ArtifactRefused. Takes milliseconds."""
    with np.errstate(all="ignore"):  # what overflows is found below
        _check(scorer)


def _check(scorer: Scorer) -> None:
    items = scorer.items.ids
    spread = [items[row] for row in np.linspace(0, len(items) - 1, _ITEMS).astype(int)]
    shoppers: list[Shopper] = [(user, spread) for user in scorer.users.ids[:_ITEMS]]
    shoppers += [(_STRANGER, spread), (_STRANGER, ())]
    vectors, known = scorer.user_vectors(shoppers)
    if known.tolist() != [True] * (len(shoppers) - 1) + [False]:
        raise ArtifactRefused("golden input: the model does not tell shoppers from strangers")
    if len(vectors) != len(shoppers) or not np.isfinite(vectors).all():
        raise ArtifactRefused("golden input: a shopper's vector is not finite")
    rows, logits = scorer.nearest(vectors, _LIST)
    expected = (len(shoppers), min(_LIST, len(items)))
    if rows.shape != expected or logits.shape != expected:
        raise ArtifactRefused(f"golden input: lists have shape {rows.shape}, not {expected}")
    if not np.isfinite(logits).all() or (np.diff(logits, axis=1) > 0).any():
        raise ArtifactRefused("golden input: scores are not finite and falling")
    if any(len(set(line)) != expected[1] for line in rows.tolist()):
        raise ArtifactRefused("golden input: a list holds an item twice")
