"""Files of a version on disk, whatever they make up: plain arrays and lists beside a signed
manifest. What they are to a model of one kind is for that kind's reader (model/artifact.py).

Nothing here is ever unpickled. Reading: 1. the signature of the manifest, 2. whose version it is,
3. size and hash of every file, 4. types and shapes as signed, 5. finite numbers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from numpy.typing import NDArray

from millstream.domain.failpoints import failpoint
from millstream.model.manifest import (
    MAX_MANIFEST_BYTES,
    ArrayFile,
    ArtifactRefused,
    ListFile,
    ManifestHead,
    digest,
    encode_manifest,
)
from millstream.model.vocabulary import Vocabulary

MANIFEST_NAME = "manifest.json"
SIGNATURE_NAME = "manifest.sig"
FLOATS, INTS, LONGS = "<f4", "<i4", "<i8"
"""The types that an array may have, as numpy writes them."""

MAX_FILE_BYTES = 4 * 1024**3
MAX_LIST_BYTES = 512 * 1024**2
_SIGNATURE_BYTES = 64

M = TypeVar("M", bound=ManifestHead)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which version is meant. With `manifest_sha256`, as announced or pointed at, no other
    manifest will do, not even one that was properly signed."""

    tenant: str
    model: str
    version: int
    manifest_sha256: str | None = None


def write_manifest(directory: Path, manifest: ManifestHead, key: Ed25519PrivateKey) -> str:
    """Signs, writes and syncs; returns the manifest's sha256."""
    raw = encode_manifest(manifest)
    _write(directory / MANIFEST_NAME, raw)
    _write(directory / SIGNATURE_NAME, key.sign(raw))
    sync_directory(directory)
    return digest(raw)


def write_array(directory: Path, name: str, values: NDArray[Any], dtype: str) -> ArrayFile:
    """Writes and syncs. Raises ArtifactRefused for one beyond the size limit."""
    path = directory / f"{name}.npy"
    array = np.ascontiguousarray(values, dtype=dtype)
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        _sync(file)
    sha256, size = _hash(path, MAX_FILE_BYTES)
    return ArrayFile(sha256, size, array.shape, dtype)


def write_list(directory: Path, name: str, vocabulary: Vocabulary) -> ListFile:
    """Writes and syncs. Raises ArtifactRefused for one beyond the size limit."""
    path = directory / f"{name}.json"
    _write(path, msgspec.json.encode(vocabulary.ids))
    sha256, size = _hash(path, MAX_LIST_BYTES)
    return ListFile(sha256, size, len(vocabulary))


def sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def manifest_digest(directory: Path) -> str:
    """What a pointer or an announcement names. Raises ArtifactRefused."""
    return digest(_bounded(directory / MANIFEST_NAME, MAX_MANIFEST_BYTES))


def read_signed(
    directory: Path, key: Ed25519PublicKey, wanted: Identity, decode: Callable[[bytes], M]
) -> M:
    """Steps 1 and 2; `decode` sees signed bytes alone. Raises ArtifactRefused."""
    raw = _bounded(directory / MANIFEST_NAME, MAX_MANIFEST_BYTES)
    signature = _bounded(directory / SIGNATURE_NAME, _SIGNATURE_BYTES)
    try:
        key.verify(signature, raw)
    except InvalidSignature:
        raise ArtifactRefused("the manifest is not signed by our key") from None
    if wanted.manifest_sha256 not in (None, digest(raw)):
        raise ArtifactRefused("the manifest is not the one that was announced")
    manifest = decode(raw)
    if (manifest.tenant, manifest.model, manifest.version) != (
        wanted.tenant,
        wanted.model,
        wanted.version,
    ):
        raise ArtifactRefused("the manifest belongs to another tenant, model or version")
    return manifest


def read_array(directory: Path, name: str, entry: ArrayFile, dtype: str) -> NDArray[Any]:
    """Memory-mapped, after steps 3 to 5. Raises ArtifactRefused. Blocks: reads every byte once,
    for the hash."""
    path = directory / f"{name}.npy"
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


def read_list(directory: Path, name: str, entry: ListFile) -> Vocabulary:
    """After step 3. Raises ArtifactRefused, also where a text stands twice."""
    path = directory / f"{name}.json"
    _check_file(path, entry, MAX_LIST_BYTES)
    try:
        vocabulary = Vocabulary(msgspec.json.decode(path.read_bytes(), type=tuple[str, ...]))
    except (msgspec.DecodeError, ValueError):
        raise ArtifactRefused(f"{path.name} is not a list of different texts") from None
    if len(vocabulary) != entry.length:
        raise ArtifactRefused(f"{path.name} has {len(vocabulary)} texts, signed {entry.length}")
    return vocabulary


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
