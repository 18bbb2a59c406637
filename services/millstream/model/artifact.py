"""A version on disk: plain arrays and lists beside a signed manifest.

Nothing here is ever unpickled. Writing: everything into a directory beside, synced, then one
rename. Reading: 1. the signature of the manifest, 2. whose version it is, 3. size and hash of
every file, 4. shapes and types, 5. finite numbers; only then does anyone get to see the arrays."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from millstream.domain.failpoints import failpoint
from millstream.domain.models import Network
from millstream.model.embeddings import Embeddings, ItemIndex
from millstream.model.manifest import (
    MAX_MANIFEST_BYTES,
    ArrayFile,
    ArtifactRefused,
    IndexRule,
    ListFile,
    Manifest,
    decode_manifest,
    digest,
    encode_manifest,
)
from millstream.model.sessions.encoder import BLOCK, EncoderArrays, block, check_shapes
from millstream.model.vocabulary import Vocabulary

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
ARRAYS = ("user_vectors", "item_vectors", "recent_to_user", "dense")
INDEX_ARRAYS = ("index_centres", "index_starts")
"""Stand beside the others where the manifest has an index."""
ENCODER_ARRAYS = tuple(f"encoder_{name}" for name in BLOCK)
"""Stand beside the others where an encoder reads the recent items."""
LISTS = ("users", "items")

MAX_FILE_BYTES = 4 * 1024**3
MAX_LIST_BYTES = 512 * 1024**2
_DTYPE = {"index_starts": "<i4"}
"""By array; "<f4" where none stands here."""
_SIGNATURE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Identity:
    """Which version is meant. With `manifest_sha256`, as announced or pointed at, no other
    manifest will do, not even one that was properly signed."""

    tenant: str
    model: str
    version: int
    manifest_sha256: str | None = None


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
        arrays |= dict(zip(ENCODER_ARRAYS, block(parts.encoder), strict=True))
    return Files(
        {name: _write_array(directory, name, values) for name, values in arrays.items()},
        {name: _write_list(directory / f"{name}.json", lists[name]) for name in LISTS},
        None if index is None else IndexRule(index.probes, index.recall),
        Network.DOT_PRODUCT if parts.encoder is None else Network.SESSIONS,
    )


def write_manifest(directory: Path, manifest: Manifest, key: Ed25519PrivateKey) -> str:
    """Signs, writes and syncs; returns the manifest's sha256."""
    raw = encode_manifest(manifest)
    _write(directory / MANIFEST_NAME, raw)
    _write(directory / SIGNATURE_NAME, key.sign(raw))
    sync_directory(directory)
    return digest(raw)


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def manifest_digest(directory: Path) -> str:
    """What a pointer or an announcement names. Raises ArtifactRefused."""
    return digest(_bounded(directory / MANIFEST_NAME, MAX_MANIFEST_BYTES))


def read_manifest(directory: Path, key: Ed25519PublicKey, wanted: Identity) -> Manifest:
    """Steps 1 and 2. Raises ArtifactRefused."""
    raw = _bounded(directory / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    signature = _bounded(directory / SIGNATURE_NAME, _SIGNATURE_BYTES)
    try:
        key.verify(signature, raw)
    except InvalidSignature:
        raise ArtifactRefused("the manifest is not signed by our key") from None
    if wanted.manifest_sha256 not in (None, digest(raw)):
        raise ArtifactRefused("the manifest is not the one that was announced")
    manifest = decode_manifest(raw)
    if (manifest.tenant, manifest.model, manifest.version) != (
        wanted.tenant,
        wanted.model,
        wanted.version,
    ):
        raise ArtifactRefused("the manifest belongs to another tenant, model or version")
    return manifest


def read_artifact(
    directory: Path, key: Ed25519PublicKey, wanted: Identity
) -> tuple[Manifest, Embeddings]:
    """All five steps. Raises ArtifactRefused. Blocks: reads every byte once, for the hashes."""
    manifest = read_manifest(directory, key, wanted)
    named = _array_names(manifest)
    if set(manifest.arrays) != set(named) or set(manifest.lists) != set(LISTS):
        raise ArtifactRefused("the manifest does not name the files of this model")
    arrays = {name: _read_array(directory, name, manifest.arrays[name]) for name in named}
    users, items = (_read_list(directory, name, manifest.lists[name]) for name in LISTS)
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
    return named + ENCODER_ARRAYS if manifest.network is Network.SESSIONS else named


def _write_array(directory: Path, name: str, values: NDArray[Any]) -> ArrayFile:
    path, dtype = directory / f"{name}.npy", _dtype(name)
    array = np.ascontiguousarray(values, dtype=dtype)
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        _sync(file)
    sha256, size = _hash(path, MAX_FILE_BYTES)
    return ArrayFile(sha256, size, array.shape, dtype)


def _dtype(name: str) -> str:
    return _DTYPE.get(name, "<f4")


def _write_list(path: Path, vocabulary: Vocabulary) -> ListFile:
    _write(path, msgspec.json.encode(vocabulary.ids))
    sha256, size = _hash(path, MAX_LIST_BYTES)
    return ListFile(sha256, size, len(vocabulary))


def _write(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        _sync(file)


def _sync(file: BinaryIO) -> None:
    failpoint("model-life")
    file.flush()
    os.fsync(file.fileno())
    failpoint("model-life")


def _bounded(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise ArtifactRefused(f"{path.name} cannot be read: {error.strerror}") from None
    if len(raw) > limit:
        raise ArtifactRefused(f"{path.name} is longer than {limit} bytes")
    return raw


def _hash(path: Path, limit: int) -> tuple[str, int]:
    try:
        size = path.stat().st_size
        if size > limit:
            raise ArtifactRefused(f"{path.name} is longer than {limit} bytes")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), size
    except OSError as error:
        raise ArtifactRefused(f"{path.name} cannot be read: {error.strerror}") from None


def _check_file(path: Path, entry: ArrayFile | ListFile, limit: int) -> None:
    if _hash(path, limit) != (entry.sha256, entry.size):
        raise ArtifactRefused(f"{path.name} is not what was signed")


def _read_array(directory: Path, name: str, entry: ArrayFile) -> NDArray[Any]:
    path, dtype = directory / f"{name}.npy", _dtype(name)
    _check_file(path, entry, MAX_FILE_BYTES)
    try:
        # What np.load(mmap_mode="r") calls for an .npy, and nothing else: no archive, no pickle.
        array = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, OSError, EOFError):
        raise ArtifactRefused(f"{path.name} is not a plain array") from None
    if array.dtype.str != dtype or entry.dtype != dtype:
        raise ArtifactRefused(f"{path.name} does not hold {dtype}")
    if array.shape != entry.shape or not array.flags.c_contiguous:
        raise ArtifactRefused(f"{path.name} has shape {array.shape}, signed is {entry.shape}")
    if not np.isfinite(array).all():
        raise ArtifactRefused(f"{path.name} holds numbers that are not finite")
    return np.asarray(array)  # still mapped: a slice of a memmap costs ten times an array's


def _read_list(directory: Path, name: str, entry: ListFile) -> Vocabulary:
    path = directory / f"{name}.json"
    _check_file(path, entry, MAX_LIST_BYTES)
    try:
        vocabulary = Vocabulary(msgspec.json.decode(path.read_bytes(), type=tuple[str, ...]))
    except (msgspec.DecodeError, ValueError):
        raise ArtifactRefused(f"{path.name} is not a list of different texts") from None
    if len(vocabulary) != entry.length:
        raise ArtifactRefused(f"{path.name} has {len(vocabulary)} texts, signed {entry.length}")
    return vocabulary


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
    if ENCODER_ARRAYS[0] not in arrays:
        return None
    weight = float(arrays["dense"][0])
    if weight <= 0:
        raise ArtifactRefused(f"an encoder's temperature is one over {weight}")
    found = EncoderArrays(
        items=arrays["item_vectors"],
        **{name: arrays[file] for name, file in zip(BLOCK, ENCODER_ARRAYS, strict=True)},
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
