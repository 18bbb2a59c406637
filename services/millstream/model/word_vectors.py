"""Word vectors that ship inside a wheel (wordllama, extra `text`): nothing is fetched."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from millstream.domain.errors import OperatorError
from millstream.model.embeddings import FloatArray

DIMENSIONS = 256
_WHOLE_WORD = re.compile(r"▁([a-z]{2,})")


class WordVectors:
    """Loading takes about a second and 130 MB. Raises OperatorError without the extra."""

    def __init__(self) -> None:
        found = importlib.util.find_spec("wordllama")
        if found is None or found.origin is None:
            raise OperatorError(
                "word vectors", "no wordllama", "the extra `text`", "pip install 'millstream[text]'"
            )
        from wordllama import WordLlama

        # The package looks for its own tokenizer in its cache alone.
        folder = Path(found.origin).parent
        self._model: Any = WordLlama.load(cache_dir=folder, disable_download=True)

    def unit(self, texts: Sequence[str]) -> FloatArray:
        """(n, DIMENSIONS) of unit length; zeros for a text without a token."""
        vectors = np.asarray(self._model.embed(list(texts), norm=False), dtype=np.float32)
        norms = np.sqrt(np.square(vectors).sum(axis=1, keepdims=True))
        return np.asarray(vectors / np.maximum(norms, 1e-6), dtype=np.float32)

    def whole_words(self) -> list[str]:
        """Those that have a vector of their own, in the order of the alphabet."""
        matches = map(_WHOLE_WORD.fullmatch, self._model.tokenizer.get_vocab())
        return sorted(match[1] for match in matches if match)
