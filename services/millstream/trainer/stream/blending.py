"""The blend of the production list, learnt before the split as a trainer learns it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from millstream.model.blend import Blend
from millstream.trainer.fit_blend import Examples, fit_blend, joined
from millstream.trainer.stream.live import Live, twice_as_long
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.replay import wanted_of
from millstream.trainer.stream.rows import Row
from millstream.trainer.stream.scores import scores_of, worth

_TOGETHER = 32
_COMPARED = 500


def choose_blend(live: Live, parts: Parts) -> Blend | None:
    """`live` knows what lies before the held-out part, and the whole of it afterwards. None where
    the fixed weights make better lists of the later half, on which a blend of the earlier half is
    tried; what is told is learnt from both. Blocks for seconds."""
    middle = len(parts.held_out) // 2
    early, late = parts.held_out[:middle], parts.held_out[middle:]
    known = joined(list(_followed(live, early, parts)))
    ways = [None, fit_blend(known)]
    asked = parts.asked(late)[:_COMPARED]
    best = max(ways, key=lambda blend: _worth(live, asked, blend))
    more = joined(list(_followed(live, late, parts)))
    return None if best is None else fit_blend(joined([known, more]))


def _followed(live: Live, rows: Sequence[Row], parts: Parts) -> Iterator[Examples]:
    for first in range(0, len(rows), _TOGETHER):
        turn = rows[first : first + _TOGETHER]
        asked = parts.asked(turn)
        if asked:
            yield live.examples(asked)
        live.learn(turn)
        live.step(turn)


def _worth(live: Live, asked: Sequence[Row], blend: Blend | None) -> float:
    settings, wanted = twice_as_long(live.settings), wanted_of(asked, live)
    found = [rank for row in asked for rank in live.listed(row, settings, blend)]
    return worth(scores_of(np.array(found, dtype=np.int64), wanted.questions, len(wanted)))
