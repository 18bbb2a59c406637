"""More questions from the same sessions: parts of them, and touches that the encoder is not shown.

Crops and masks as of contrastive learning for sequences (Xie et al., 2022), here on the questions
themselves: https://arxiv.org/abs/2010.14395"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from millstream.model.embeddings import FloatArray
from millstream.trainer.sessions.windows import Windows


def cropped(cut: Windows, share: float, rng: np.random.Generator) -> Windows:
    """Of a `share` of the windows only what follows a touch chosen at random, two touches at least;
    what was a target stays one where a touch is left before it."""
    if share == 0.0:
        return cut
    lengths = cut.log.lengths()
    lost = rng.integers(0, lengths - 1)  # of windows of two: none
    lost[rng.random(len(lengths)) >= share] = 0
    log = cut.log.cut(cut.log.starts[:-1] + lost, lengths - lost)
    return Windows(log, np.maximum(1, cut.first - lost))


def shown(touched: NDArray[np.int64], masked: float, rng: np.random.Generator) -> FloatArray:
    """(n, l) ones, and a zero for each touch of a batch that is hidden, a share `masked` of all."""
    if masked == 0.0:
        return np.ones(touched.shape, dtype=np.float32)
    return (rng.random(touched.shape) >= masked).astype(np.float32)
