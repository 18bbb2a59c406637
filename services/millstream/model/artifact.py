"""Embeddings as a version on disk: which signed files they are, and what must hold of them.

Writing: everything into a directory beside, synced, then one rename. Reading: the checks of
model/signed_files.py, then that the files are those of this model and fit each other; only then
does anyone get to see the arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from numpy.typing import NDArray

from millstream.domain.models import Network
from millstream.model.embeddings import Embeddings, ItemIndex
from millstream.model.manifest import (
    ArrayFile,
    ArtifactRefused,
    IndexRule,
    ListFile,
    Manifest,
    decode_manifest,
)
from millstream.model.sessions.encoder import (
    BLOCK,
    INPUTS,
    EncoderArrays,
    beside_items,
    check_shapes,
)
from millstream.model.signed_files import (
    FLOATS,
    INTS,
    Identity,
    read_array,
    read_list,
    read_signed,
    write_array,
    write_list,
)
from millstream.model.vocabulary import Vocabulary

ARRAYS = ("user_vectors", "item_vectors", "recent_to_user", "dense")
INDEX_ARRAYS = ("index_centres", "index_starts")
"""Stand beside the others where the manifest has an index."""
ENCODER_ARRAYS = {f"encoder_{name}": name for name in BLOCK}
"""Stand beside the others where an encoder reads the recent items."""
INPUT_ARRAYS = {f"encoder_{name}": name for name in INPUTS}
"""Those of them stand beside these that the encoder was taught with."""
LISTS = ("users", "items")
_DTYPE = {"index_starts": INTS}
"""By array; FLOATS where none stands here."""


@dataclass(frozen=True, slots=True)
class Files:
    """Entries of the manifest for the data files that `write_data` put into a directory."""

    arrays: dict[str, ArrayFile]
    lists: dict[str, ListFile]
    index: IndexRule | None = None
    network: Network = Network.DOT_PRODUCT


def write_data(directory: Path, parts: Embeddings) -> Files:
    """Writes and syncs the data files. Raises ArtifactRefused for one beyond the size limit."""
    arrays: dict[str, NDArray[Any]] = {
        "user_vectors": parts.user_vectors,
        "item_vectors": parts.item_vectors,
        "recent_to_user": parts.recent_to_user,
        "dense": np.array([parts.dense_weight, parts.dense_bias]),
    }
    lists = {"users": parts.users, "items": parts.items}
    index = parts.index
    if index is not None:
        arrays |= {"index_centres": index.centres, "index_starts": index.starts}
    if parts.encoder is not None:
        arrays |= {f"encoder_{name}": a for name, a in beside_items(parts.encoder).items()}
    return Files(
        {
            name: write_array(directory, name, values, _dtype(name))
            for name, values in arrays.items()
        },
        {name: write_list(directory, name, lists[name]) for name in LISTS},
        None if index is None else IndexRule(index.probes, index.recall),
        Network.DOT_PRODUCT if parts.encoder is None else Network.SESSIONS,
    )


def read_manifest(directory: Path, key: Ed25519PublicKey, wanted: Identity) -> Manifest:
    """Signature, and whose version it is. Raises ArtifactRefused."""
    return read_signed(directory, key, wanted, decode_manifest)


def read_artifact(
    directory: Path, key: Ed25519PublicKey, wanted: Identity
) -> tuple[Manifest, Embeddings]:
    """Every check. Raises ArtifactRefused. Blocks: reads every byte once, for the hashes."""
    manifest = read_manifest(directory, key, wanted)
    named = _array_names(manifest)
    if set(manifest.arrays) != set(named) or set(manifest.lists) != set(LISTS):
        raise ArtifactRefused("the manifest does not name the files of this model")
    arrays = {
        name: read_array(directory, name, manifest.arrays[name], _dtype(name)) for name in named
    }
    users, items = (read_list(directory, name, manifest.lists[name]) for name in LISTS)
    _check_shapes(arrays, users, items)
    weight, bias = arrays["dense"]
    parts = Embeddings(
        users=users,
        items=items,
        user_vectors=arrays["user_vectors"],
        item_vectors=arrays["item_vectors"],
        recent_to_user=arrays["recent_to_user"],
        dense_weight=float(weight),
        dense_bias=float(bias),
        rule=manifest.rule,
        index=_index(arrays, manifest.index),
        encoder=_encoder(arrays),
    )
    return manifest, parts


def _array_names(manifest: Manifest) -> tuple[str, ...]:
    named = ARRAYS if manifest.index is None else ARRAYS + INDEX_ARRAYS
    if manifest.network is not Network.SESSIONS:
        return named
    return (*named, *ENCODER_ARRAYS, *(name for name in INPUT_ARRAYS if name in manifest.arrays))


def _dtype(name: str) -> str:
    return _DTYPE.get(name, FLOATS)


def _index(arrays: dict[str, NDArray[Any]], rule: IndexRule | None) -> ItemIndex | None:
    """Raises ArtifactRefused where the lists are not all of the items, one after the other."""
    if rule is None:
        return None
    centres, starts = arrays["index_centres"], arrays["index_starts"]
    items, size = arrays["item_vectors"].shape
    if centres.ndim != 2 or centres.shape[1] != size or starts.shape != (len(centres) + 1,):
        raise ArtifactRefused(f"the index has {centres.shape} centres and {starts.shape} starts")
    if starts[0] != 0 or starts[-1] != items or (np.diff(starts) < 0).any():
        raise ArtifactRefused("the lists of the index are not the items")
    return ItemIndex(centres, starts, rule.probes, rule.recall)


def _encoder(arrays: dict[str, NDArray[Any]]) -> EncoderArrays | None:
    """Raises ArtifactRefused where its parts do not fit each other and the items."""
    names = {f: name for f, name in (ENCODER_ARRAYS | INPUT_ARRAYS).items() if f in arrays}
    if not names:
        return None
    weight = float(arrays["dense"][0])
    if weight <= 0:
        raise ArtifactRefused(f"an encoder's temperature is one over {weight}")
    found = EncoderArrays(
        items=arrays["item_vectors"],
        **{name: arrays[file] for file, name in names.items()},
        temperature=1.0 / weight,
    )
    wrong = check_shapes(found)
    if wrong is not None:
        raise ArtifactRefused(f"the encoder's {wrong} does not fit the others")
    return found


def _check_shapes(arrays: dict[str, NDArray[Any]], users: Vocabulary, items: Vocabulary) -> None:
    table = arrays["item_vectors"].shape
    size = table[1] if len(table) == 2 else 0
    expected = {
        "user_vectors": (len(users), size),
        "item_vectors": (len(items), size),
        "recent_to_user": (size + 1, size),
        "dense": (2,),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape or size == 0 or len(items) == 0:
            raise ArtifactRefused(f"{name} has shape {arrays[name].shape}, expected {shape}")
