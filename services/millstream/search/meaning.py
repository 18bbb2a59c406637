"""Texts as vectors: by what they mean where the word vectors are there, else by their letters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from zlib import crc32

import numpy as np
import structlog

from millstream.model.embeddings import FloatArray
from millstream.model.word_vectors import DIMENSIONS, WordVectors
from millstream.search.terms import trigrams, words

Meaning = Callable[[Sequence[str]], FloatArray]
"""(n, DIMENSIONS) of unit length of `plain` texts; zeros for one without a term."""

log = structlog.get_logger("millstream.search")


@cache
def meaning() -> Meaning:
    """Loaded once a process, in about a second; `hashed` where the extra `text` is not there, or
    its files do not read."""
    try:
        return WordVectors().unit
    except Exception as error:  # noqa: BLE001  whatever the package has, there is a search
        log.warning("search goes by letters alone: no word vectors", kind=type(error).__name__)
        return hashed


def hashed(texts: Sequence[str]) -> FloatArray:
    """Words and trigrams, each added to one place with a sign (Weinberger et al., ICML 2009): texts
    are alike by the letters that they share."""
    vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for vector, text in zip(vectors, texts, strict=True):
        said = words(text)
        for term in (*said, *trigrams(said)):
            number = crc32(term.encode())
            vector[number % DIMENSIONS] += 1.0 if number >> 31 else -1.0
    norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
    return np.asarray(vectors / np.maximum(norms, 1e-6), dtype=np.float32)
