"""What each candidate adds to its item's score: by fixed weights, or by the model's blend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.model.blend import Blend
from millstream.ranking.candidates.source import Candidates
from millstream.ranking.settings import RankingSettings

_USUAL = RankingSettings().weights


def worths(
    proposed: Sequence[tuple[Source, Candidates]],
    settings: RankingSettings,
    blend: Blend | None,
) -> list[NDArray[np.float64]]:
    """(m,) per source. Under a blend a weight of the settings counts by its ratio to the usual one:
    twice the usual doubles what the source adds, 0 silences it. A source that the blend does not
    know adds its weight times the strength, as without a blend."""
    if blend is None:
        return [settings.weights.get(source, 0.0) * told.strengths for source, told in proposed]
    return [_worth(source, told, settings, blend) for source, told in proposed]


def _worth(
    source: Source, told: Candidates, settings: RankingSettings, blend: Blend
) -> NDArray[np.float64]:
    weight, learnt = settings.weights.get(source, 0.0), blend.sources.get(source)
    usual = _USUAL.get(source, 0.0)
    if learnt is None or not usual:
        return weight * told.strengths
    kinds = np.zeros(len(told.items), dtype=np.int64) if told.kinds is None else told.kinds
    return weight / usual * learnt.worth(told.strengths, kinds)
