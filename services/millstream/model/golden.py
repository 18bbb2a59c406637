"""A version that verifies can still be useless: it is asked for lists before it serves one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np

from millstream.domain.events import EventType
from millstream.features.recent_items import Touch
from millstream.model.manifest import ArtifactRefused
from millstream.model.scorer import Scorer, Shopper
from millstream.model.sessions.told import EDGES_S

_LIST = 20
_STRANGER = "\x00 no shopper can have this id"
_ITEMS = 5


def check_golden(scorer: Scorer) -> None:
    """Known shoppers, a stranger with recent items and a stranger without: vectors and scores
    have the right shape and are finite, lists hold each item once, likeliest first. The recent
    items were touched in every way and after gaps of every length.

    Raises ArtifactRefused. Takes milliseconds."""
    with np.errstate(all="ignore"):  # what overflows is found below
        _check(scorer)


def _touches(items: Sequence[str]) -> list[Touch]:
    """Newest first."""
    since_s = [0, 0, *EDGES_S[::-1].cumsum().tolist()]
    told = zip(cycle(items), cycle(EventType), since_s)
    return [Touch(item, kind, 1000 * (since_s[-1] - ago_s)) for item, kind, ago_s in told]


def _check(scorer: Scorer) -> None:
    items = scorer.items.ids
    spread = [items[row] for row in np.linspace(0, len(items) - 1, _ITEMS).astype(int)]
    shoppers: list[Shopper] = [(user, spread) for user in scorer.users.ids[:_ITEMS]]
    shoppers += [(_STRANGER, spread), (_STRANGER, _touches(items)), (_STRANGER, ())]
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
