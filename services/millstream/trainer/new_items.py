"""Items that nobody has touched get a vector, too: the one that their text leads to.

Ridge regression from title and category to the vectors of the items that were trained (Gantner et
al., ICDM 2010, "Learning attribute-to-feature mappings for cold-start recommendations"), so that
lists can have an item before its first event. Texts are read by their letters: what word vectors
find beside them `millstream evaluate new-items` prints (docs/new-items.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from millstream.domain.catalogue import CatalogueItem
from millstream.model.embeddings import Embeddings, FloatArray
from millstream.model.indexing import asked_vectors
from millstream.model.vocabulary import Vocabulary
from millstream.search.meaning import Meaning, hashed
from millstream.search.segment import text_of

_RIDGE = 0.3
"""Relative to the mean square of an input."""
_ASKED = 256
_PLACES = 20
_HALVINGS = 12
MOST = 50_000
"""Items that are learnt from, and that are guessed: some 100 MB and five seconds each."""
LEAST_TAUGHT = 200
"""Trained items with a text; what fewer say of texts is chance."""


def with_new_items(
    parts: Embeddings, catalogue: Mapping[str, CatalogueItem], read: Meaning = hashed
) -> Embeddings:
    """`parts` with the items of the catalogue that it lacks, but for hidden ones and those without
    a text, behind its own; of more than MOST those added last. As it is where too few trained items
    have a text to learn from."""
    texts = {name: text for name, item in catalogue.items() if (text := text_of(item).strip())}
    taught = [item for item in parts.items.ids if item in texts]
    taught = taught[:: -(-len(taught) // MOST) or 1]
    fresh = [name for name in texts if name not in parts.items and not catalogue[name].hidden]
    fresh = sorted(sorted(fresh, key=lambda name: catalogue[name].added_at, reverse=True)[:MOST])
    if len(taught) < LEAST_TAUGHT or not fresh:
        return parts
    said = read([texts[item] for item in (*taught, *fresh)])
    known = parts.item_vectors[parts.items.rows(taught)]
    guessed = _mapped(said[: len(taught)], known, said[len(taught) :])
    if parts.encoder is not None:
        guessed /= np.maximum(np.linalg.norm(guessed, axis=1, keepdims=True), 1e-9)
    length = _length(
        asked_vectors(parts, _ASKED, 0) * np.float32(parts.dense_weight), parts, guessed
    )
    vectors = np.concatenate([parts.item_vectors, length * guessed])
    return replace(
        parts,
        items=Vocabulary([*parts.items.ids, *fresh]),
        item_vectors=vectors,
        encoder=parts.encoder and replace(parts.encoder, items=vectors),
    )


def _mapped(said: FloatArray, known: FloatArray, asked: FloatArray) -> FloatArray:
    """(m, d) for (m, e) texts, from (n, e) texts and (n, d) vectors."""
    middle, mean = said.mean(axis=0), known.mean(axis=0)
    inputs = (said - middle).astype(np.float64)
    gram = inputs.T @ inputs
    strength = _RIDGE * float(np.trace(gram)) / len(gram) + 1e-6
    weights = np.linalg.solve(gram + strength * np.eye(len(gram)), inputs.T @ (known - mean))
    return np.asarray((asked - middle) @ weights + mean, dtype=np.float32)


def _length(asked: FloatArray, parts: Embeddings, guessed: FloatArray) -> np.float32:
    """By which the guessed are drawn out or in, so that they have as many of the first places as
    they are of the items, and are in the mean no longer than what was trained: all guesses lie near
    the middle, and at full length an encoder's stand in every list."""
    taken = np.partition(asked @ parts.item_vectors.T, -_PLACES, axis=1)[:, -_PLACES:]
    offered = asked @ guessed.T
    wanted = len(guessed) / (len(guessed) + len(parts.items))
    low, high = 0.0, _norm(parts.item_vectors) / max(_norm(guessed), 1e-9)
    for _ in range(_HALVINGS):
        length = (low + high) / 2
        both = np.concatenate([taken, length * offered], axis=1)
        first = np.argpartition(-both, _PLACES, axis=1)[:, :_PLACES]
        low, high = (length, high) if (first >= _PLACES).mean() < wanted else (low, length)
    return np.float32(low)


def _norm(vectors: FloatArray) -> float:
    """The mean length."""
    return float(np.linalg.norm(vectors, axis=1).mean())
