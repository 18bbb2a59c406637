"""A review model as a version on disk: which signed files each kind has, and what must hold of
them beyond what model/signed_files.py looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from millstream.model.manifest import ArrayFile, ArtifactRefused, ListFile
from millstream.model.sentiment.linear import (
    COUNT_SQUARE,
    PARTS,
    RARE_SQUARE,
    LinearArrays,
    LinearSentiment,
)
from millstream.model.sentiment.lstm import LstmArrays, LstmSentiment
from millstream.model.sentiment.manifest import (
    ReviewKind,
    ReviewManifest,
    decode_review_manifest,
)
from millstream.model.sentiment.sentiment import Sentiment
from millstream.model.sentiment.terms import MAX_WORDS
from millstream.model.signed_files import (
    FLOATS,
    INTS,
    LONGS,
    Identity,
    read_array,
    read_list,
    read_signed,
    write_array,
    write_list,
)
from millstream.model.vocabulary import Vocabulary

Arrays = dict[str, NDArray[Any]]
ReviewArrays = LinearArrays | LstmArrays

WORDS = "words"
"""The only list, of either kind."""
ARRAYS: Mapping[ReviewKind, Mapping[str, str]] = {
    ReviewKind.LINEAR: {
        "keys": LONGS,
        "terms": FLOATS,
        "likeness": FLOATS,
        "offsets": FLOATS,
        "mixing": FLOATS,
    },
    ReviewKind.LSTM: {
        "embedding": FLOATS,
        "kernel": FLOATS,
        "recurrent": FLOATS,
        "bias": FLOATS,
        "dense": FLOATS,
        "dense_bias": FLOATS,
        "length": INTS,
    },
}
"""By kind the type of each array. Shapes as LinearArrays and LstmArrays tell; a number is (1,)."""
MAX_LENGTH = 4096
"""Ids that an LSTM may read of a review: each is a step of its own."""


@dataclass(frozen=True, slots=True)
class ReviewFiles:
    """Entries of the manifest for the data files that `write_review_model` put into a directory."""

    arrays: dict[str, ArrayFile]
    lists: dict[str, ListFile]
    kind: ReviewKind


def kind_of(arrays: ReviewArrays) -> ReviewKind:
    return ReviewKind.LINEAR if isinstance(arrays, LinearArrays) else ReviewKind.LSTM


def sentiment_of(arrays: ReviewArrays) -> Sentiment:
    if isinstance(arrays, LinearArrays):
        return LinearSentiment(arrays)
    return LstmSentiment(arrays)


def named_arrays(arrays: ReviewArrays) -> Arrays:
    """As they are written, by name."""
    return {
        name: np.atleast_1d(np.asarray(getattr(arrays, name), dtype=dtype))
        for name, dtype in ARRAYS[kind_of(arrays)].items()
    }


def write_review_model(directory: Path, arrays: ReviewArrays) -> ReviewFiles:
    """Writes and syncs the data files. Raises ArtifactRefused for one beyond the size limit."""
    kind = kind_of(arrays)
    return ReviewFiles(
        {
            name: write_array(directory, name, values, ARRAYS[kind][name])
            for name, values in named_arrays(arrays).items()
        },
        {WORDS: write_list(directory, WORDS, arrays.words)},
        kind,
    )


def read_review_manifest(
    directory: Path, key: Ed25519PublicKey, wanted: Identity
) -> ReviewManifest:
    """Signature, and whose version it is. Raises ArtifactRefused."""
    return read_signed(directory, key, wanted, decode_review_manifest)


def read_review_model(
    directory: Path, key: Ed25519PublicKey, wanted: Identity
) -> tuple[ReviewManifest, ReviewArrays]:
    """Every check. Raises ArtifactRefused. Blocks: reads every byte once, for the hashes."""
    manifest = read_review_manifest(directory, key, wanted)
    named = ARRAYS[manifest.kind]
    if set(manifest.arrays) != set(named) or set(manifest.lists) != {WORDS}:
        raise ArtifactRefused("the manifest does not name the files of this model")
    words = read_list(directory, WORDS, manifest.lists[WORDS])
    if not 1 <= len(words) <= MAX_WORDS:
        raise ArtifactRefused(f"{len(words)} words, expected 1 to {MAX_WORDS}")
    arrays = {
        name: read_array(directory, name, manifest.arrays[name], dtype)
        for name, dtype in named.items()
    }
    if manifest.kind is ReviewKind.LINEAR:
        return manifest, _linear(words, arrays)
    return manifest, _lstm(words, arrays)


def _linear(words: Vocabulary, arrays: Arrays) -> LinearArrays:
    keys, terms = arrays["keys"], arrays["terms"]
    rows = keys.size
    parts = len(PARTS)
    expected = {
        "keys": (rows,),
        "terms": (rows, 4),
        "likeness": (len(words) + 1, 2),
        "offsets": (parts,),
        "mixing": (parts + 1,),
    }
    _check_shapes(arrays, expected)
    if keys[0] < 0 or (np.diff(keys) <= 0).any():
        raise ArtifactRefused("the keys do not rise")
    if (terms[:, [COUNT_SQUARE, RARE_SQUARE]] < 0).any():
        raise ArtifactRefused("a square is below zero")
    return LinearArrays(words=words, **arrays)


def _lstm(words: Vocabulary, arrays: Arrays) -> LstmArrays:
    units = arrays["dense"].size
    dimensions = arrays["embedding"].shape[-1] if arrays["embedding"].ndim else 0
    expected = {
        "embedding": (len(words) + 2, dimensions),
        "kernel": (dimensions, 4 * units),
        "recurrent": (units, 4 * units),
        "bias": (4 * units,),
        "dense": (units,),
        "dense_bias": (1,),
        "length": (1,),
    }
    _check_shapes(arrays, expected)
    length = int(arrays["length"][0])
    if not 1 <= length <= MAX_LENGTH:
        raise ArtifactRefused(f"it reads {length} ids, expected 1 to {MAX_LENGTH}")
    single: dict[str, Any] = {"dense_bias": float(arrays["dense_bias"][0]), "length": length}
    return LstmArrays(words=words, **(arrays | single))


def _check_shapes(arrays: Arrays, expected: Mapping[str, tuple[int, ...]]) -> None:
    for name, shape in expected.items():
        if arrays[name].shape != shape or 0 in shape:
            raise ArtifactRefused(f"{name} has shape {arrays[name].shape}, expected {shape}")
