"""What a blend is learnt from: later questions, asked of a shop that learns as production does."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from millstream.model.scorer import Scorer
from millstream.trainer.fit_blend import Examples, joined
from millstream.trainer.split import Query
from millstream.trainer.whole_list import Lists

_TOGETHER = 32
"""So many questions are asked before what happened meanwhile is learnt."""


def follow(
    shop: Lists,
    asked: Sequence[Query],
    lines: pl.DataFrame,
    scorers: Sequence[Scorer],
) -> list[Examples]:
    """By scorer. `asked`, in order of time, are questions of the time of `lines` (n, 6), up to
    which the shop has learnt everything; afterwards it has learnt them too. A model stands still:
    it is as old in production. Takes about a millisecond a question and scorer."""
    found: list[list[Examples]] = [[] for _ in scorers]
    learnt = 0
    for first in range(0, len(asked), _TOGETHER):
        turn = asked[first : first + _TOGETHER]
        until = int(lines["time_ms"].search_sorted(turn[0].at_ms, side="left"))
        shop.learn(lines[learnt:until])
        learnt = max(learnt, until)
        for parts, scorer in zip(found, scorers, strict=True):
            parts.append(shop.examples(turn, scorer))
    shop.learn(lines[learnt:])
    return [joined(parts) for parts in found]
