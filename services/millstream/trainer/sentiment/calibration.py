"""Whether a probability means what it says."""

from __future__ import annotations

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.trainer.sentiment.data import Ints

_BINS = 15


def calibration_error(probabilities: FloatArray, labels: Ints) -> float:
    """ECE (Guo et al., ICML 2017): over bins of equal width, weighted by their reviews, how far the
    mean probability is from the share of good ones."""
    bins = np.minimum((probabilities * _BINS).astype(np.int64), _BINS - 1)
    gaps = np.bincount(bins, probabilities - labels, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(labels))
