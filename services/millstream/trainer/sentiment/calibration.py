"""Whether a probability means what it says."""

from __future__ import annotations

import numpy as np

from millstream.model.embeddings import FloatArray
from millstream.trainer.gate.bootstrap import Values
from millstream.trainer.sentiment.data import Ints

BINS = 15


def calibration_error(probabilities: FloatArray, labels: Ints) -> float:
    """ECE (Guo et al., ICML 2017): over bins of equal width, weighted by their reviews, how far the
    mean probability is from the share of good ones."""
    gaps = binned_gaps(probabilities, labels).sum(axis=0)
    return float(np.abs(gaps).sum() / len(labels))


def binned_gaps(probabilities: FloatArray, labels: Ints) -> Values:
    """(n, BINS): what each review adds to the gap of its bin, 0 elsewhere."""
    found = np.zeros((len(labels), BINS))
    bins = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    found[np.arange(len(labels)), bins] = probabilities - labels
    return found
