"""What was written comes back as it was; what was touched since is refused before use."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.encoders import told_tables

from millstream.domain.models import Network
from millstream.model.artifact import (
    ARRAYS,
    INDEX_ARRAYS,
    LISTS,
    Files,
    read_artifact,
    write_data,
)
from millstream.model.embeddings import Embeddings, ItemIndex
from millstream.model.manifest import ArrayFile, ArtifactRefused, ListFile, Manifest, digest
from millstream.model.sessions.encoder import BLOCK, INPUTS, beside_items
from millstream.model.signed_files import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    Identity,
    write_manifest,
)

Describe = Callable[[int, Files], Manifest]
WANTED = Identity("default", "embedding", 1)
FILES = [*(f"{name}.npy" for name in ARRAYS), *(f"{name}.json" for name in LISTS)]


@pytest.fixture
def version(tmp_path: Path, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey) -> Path:
    write_manifest(tmp_path, describe(1, write_data(tmp_path, parts)), key)
    return tmp_path


def refused(version: Path, key: Ed25519PrivateKey, wanted: Identity = WANTED) -> str:
    with pytest.raises(ArtifactRefused) as caught:
        read_artifact(version, key.public_key(), wanted)
    return caught.value.reason


def sign_again(version: Path, key: Ed25519PrivateKey, edit: Callable[[Manifest], Manifest]) -> None:
    """As a trainer would that has our key: hashes and sizes are those of the files as they are."""
    manifest = msgspec.json.decode((version / MANIFEST_NAME).read_bytes(), type=Manifest)
    arrays = {
        name: msgspec.structs.replace(entry, **_facts(version / f"{name}.npy"))
        for name, entry in manifest.arrays.items()
    }
    lists = {
        name: msgspec.structs.replace(entry, **_facts(version / f"{name}.json"))
        for name, entry in manifest.lists.items()
    }
    write_manifest(
        version, edit(msgspec.structs.replace(manifest, arrays=arrays, lists=lists)), key
    )


def _facts(path: Path) -> dict[str, object]:
    raw = path.read_bytes()
    return {"sha256": digest(raw), "size": len(raw)}


def same(manifest: Manifest) -> Manifest:
    return manifest


def test_arrays_and_lists_come_back_memory_mapped(
    version: Path, parts: Embeddings, key: Ed25519PrivateKey
) -> None:
    manifest, read = read_artifact(version, key.public_key(), WANTED)
    assert read.users.ids == parts.users.ids
    assert read.items.ids == parts.items.ids
    for name in ("user_vectors", "item_vectors", "recent_to_user"):
        array = getattr(read, name)
        assert isinstance(array.base, np.memmap), f"{name} was copied into memory"
        np.testing.assert_array_equal(array, getattr(parts, name))
    assert (read.dense_weight, read.dense_bias, read.rule) == (1.5, -0.5, parts.rule)
    assert manifest.window.offsets == {0: 10, 11: 4}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0, -1])
def test_a_flipped_bit_is_refused(
    version: Path, key: Ed25519PrivateKey, name: str, place: int
) -> None:
    raw = bytearray((version / name).read_bytes())
    raw[place] ^= 1
    (version / name).write_bytes(raw)
    assert refused(version, key) == f"{name} is not what was signed"


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused(version: Path, key: Ed25519PrivateKey, name: str) -> None:
    raw = (version / name).read_bytes()
    (version / name).write_bytes(raw[:-1])
    assert refused(version, key) == f"{name} is not what was signed"


@pytest.mark.parametrize("name", [*FILES, MANIFEST_NAME, SIGNATURE_NAME])
def test_a_missing_file_is_refused(version: Path, key: Ed25519PrivateKey, name: str) -> None:
    (version / name).unlink()
    assert f"{name} cannot be read" in refused(version, key)


def test_a_changed_manifest_is_refused(version: Path, key: Ed25519PrivateKey) -> None:
    raw = (version / MANIFEST_NAME).read_bytes()
    (version / MANIFEST_NAME).write_bytes(raw.replace(b"good enough", b"good enougH"))
    assert refused(version, key) == "the manifest is not signed by our key"


@pytest.mark.parametrize("signature", [b"", b"\x00" * 64, b"\x00" * 65])
def test_a_bad_signature_is_refused(
    version: Path, key: Ed25519PrivateKey, signature: bytes
) -> None:
    (version / SIGNATURE_NAME).write_bytes(signature)
    assert "sig" in refused(version, key)


def test_another_key_is_refused(version: Path) -> None:
    other = Ed25519PrivateKey.generate()
    assert refused(version, other) == "the manifest is not signed by our key"


@pytest.mark.parametrize(
    "wanted",
    [
        Identity("other", "embedding", 1),
        Identity("default", "other", 1),
        Identity("default", "embedding", 2),
    ],
)
def test_a_signed_version_in_the_wrong_place_is_refused(
    version: Path, key: Ed25519PrivateKey, wanted: Identity
) -> None:
    assert "another tenant, model or version" in refused(version, key, wanted)


def test_an_old_manifest_put_back_is_refused(version: Path, key: Ed25519PrivateKey) -> None:
    announced = Identity("default", "embedding", 1, "0" * 64)
    assert "not the one that was announced" in refused(version, key, announced)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ARRAYS)
def test_numbers_that_are_not_finite_are_refused_though_signed(
    version: Path, key: Ed25519PrivateKey, name: str, value: float
) -> None:
    array = np.load(version / f"{name}.npy")
    array.flat[-1] = value
    np.save(version / f"{name}.npy", array)
    sign_again(version, key, same)
    assert refused(version, key) == f"{name}.npy holds numbers that are not finite"


@pytest.mark.parametrize("name", ARRAYS)
def test_a_shape_that_does_not_fit_the_others_is_refused_though_signed(
    version: Path, key: Ed25519PrivateKey, name: str
) -> None:
    array = np.load(version / f"{name}.npy")
    longer = np.concatenate([array, array[:1]])
    np.save(version / f"{name}.npy", longer)

    def with_shape(manifest: Manifest) -> Manifest:
        entry = msgspec.structs.replace(manifest.arrays[name], shape=longer.shape)
        return msgspec.structs.replace(manifest, arrays=manifest.arrays | {name: entry})

    sign_again(version, key, with_shape)
    assert "has shape" in refused(version, key)


def test_a_shape_other_than_the_manifest_says_is_refused(
    version: Path, key: Ed25519PrivateKey
) -> None:
    array = np.load(version / "item_vectors.npy")
    np.save(version / "item_vectors.npy", array[:, :3])
    sign_again(version, key, same)
    assert refused(version, key) == "item_vectors.npy has shape (30, 3), signed is (30, 4)"


@pytest.mark.parametrize("kind", [np.float64, np.int32])
def test_another_number_type_is_refused(
    version: Path, key: Ed25519PrivateKey, kind: type[np.generic]
) -> None:
    array = np.load(version / "dense.npy")
    np.save(version / "dense.npy", array.astype(kind))
    sign_again(version, key, same)
    assert refused(version, key) == "dense.npy does not hold <f4"


class Planted:
    """Unpickling it would leave a mark."""

    fired = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return setattr, (Planted, "fired", True)


@pytest.mark.parametrize("shape", ["object array", "bare pickle", "archive"])
def test_a_planted_pickle_is_refused_and_not_run(
    version: Path, key: Ed25519PrivateKey, shape: str
) -> None:
    path = version / "user_vectors.npy"
    planted = np.array([Planted()], dtype=object)
    if shape == "object array":
        np.save(path, planted, allow_pickle=True)
    elif shape == "bare pickle":
        path.write_bytes(pickle.dumps(Planted()))
    else:
        with path.open("wb") as file:
            np.savez(file, planted, allow_pickle=True)
    sign_again(version, key, same)
    assert "user_vectors.npy" in refused(version, key)
    assert not Planted.fired, "the pickle was executed"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'["ann","ann","bob"]', "not a list of different texts"),
        (b'["ann","bob"]', "has 2 texts, signed 3"),
        (b'{"ann":1}', "not a list of different texts"),
        (b"[1,2,3]", "not a list of different texts"),
        (b"[" * 100_000, "not a list of different texts"),
    ],
)
def test_a_broken_vocabulary_is_refused_though_signed(
    version: Path, key: Ed25519PrivateKey, content: bytes, reason: str
) -> None:
    (version / "users.json").write_bytes(content)
    sign_again(version, key, same)
    assert reason in refused(version, key)


def test_a_manifest_that_names_another_file_is_refused(
    version: Path, key: Ed25519PrivateKey
) -> None:
    def with_path(manifest: Manifest) -> Manifest:
        entry: ArrayFile = manifest.arrays["dense"]
        return msgspec.structs.replace(manifest, arrays=manifest.arrays | {"../../dense": entry})

    sign_again(version, key, with_path)
    assert "does not name the files" in refused(version, key)


def test_another_schema_version_is_refused(version: Path, key: Ed25519PrivateKey) -> None:
    sign_again(version, key, lambda m: msgspec.structs.replace(m, schema_version=2))
    assert "schema version 2" in refused(version, key)


def test_a_list_entry_is_checked_for_length(version: Path, key: Ed25519PrivateKey) -> None:
    def longer(manifest: Manifest) -> Manifest:
        entry: ListFile = msgspec.structs.replace(manifest.lists["items"], length=31)
        return msgspec.structs.replace(manifest, lists=manifest.lists | {"items": entry})

    sign_again(version, key, longer)
    assert refused(version, key) == "items.json has 30 texts, signed 31"


def test_a_file_beyond_the_limit_is_refused(
    version: Path, key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("millstream.model.signed_files.MAX_FILE_BYTES", 100)
    assert refused(version, key) == "user_vectors.npy is longer than 100 bytes"


def test_an_empty_catalogue_is_refused(
    tmp_path: Path, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    empty = replace(
        parts, items=type(parts.items)([]), item_vectors=np.zeros((0, 4), dtype=np.float32)
    )
    write_manifest(tmp_path, describe(1, write_data(tmp_path, empty)), key)
    assert "item_vectors" in refused(tmp_path, key) or "shape" in refused(tmp_path, key)


@pytest.fixture
def indexed(tmp_path: Path, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey) -> Path:
    """A version whose 30 items stand in three lists."""
    index = ItemIndex(parts.item_vectors[:3], np.array([0, 12, 12, 30], np.int32), 2, 0.99)
    files = write_data(tmp_path, replace(parts, index=index))
    manifest = msgspec.structs.replace(describe(1, files), index=files.index)
    write_manifest(tmp_path, manifest, key)
    return tmp_path


def test_an_index_comes_back_memory_mapped(indexed: Path, key: Ed25519PrivateKey) -> None:
    index = read_artifact(indexed, key.public_key(), WANTED)[1].index
    assert index is not None
    assert isinstance(index.centres.base, np.memmap)
    assert index.starts.tolist() == [0, 12, 12, 30]
    assert (index.starts.dtype.str, index.probes, index.recall) == ("<i4", 2, 0.99)


def test_a_version_without_index_and_encoder_says_nothing_of_them(
    version: Path, key: Ed25519PrivateKey
) -> None:
    """So that code from before them reads it."""
    raw = (version / MANIFEST_NAME).read_bytes()
    assert b"index" not in raw
    assert b"network" not in raw
    assert read_artifact(version, key.public_key(), WANTED)[1].index is None


def test_a_manifest_of_an_earlier_release_reads_as_it_was_signed(
    version: Path, key: Ed25519PrivateKey
) -> None:
    """Its fields stood in another order; what is verified is the bytes, not what they come to."""
    now = msgspec.json.decode((version / MANIFEST_NAME).read_bytes())
    early = {"lists": now["lists"], "rule": now["rule"], "window": now["window"]}
    raw = msgspec.json.encode(early | now)
    (version / MANIFEST_NAME).write_bytes(raw)
    (version / SIGNATURE_NAME).write_bytes(key.sign(raw))
    announced = Identity("default", "embedding", 1, digest(raw))
    manifest, _ = read_artifact(version, key.public_key(), announced)
    assert msgspec.json.decode(msgspec.json.encode(manifest)) == now


def test_a_blend_by_the_length_of_a_visit_is_refused_by_name(
    version: Path, key: Ed25519PrivateKey
) -> None:
    """As trainers wrote them before 0.1.0: its weights would be looked up in the wrong places."""
    told = {"doublings": [0], "weights": [[[0.1, 0.2], [0.3, 0.4]]]}
    blend = {"visit_gap_ms": 1, "lengths": [2], "sources": {"popular": told}}
    now = msgspec.json.decode((version / MANIFEST_NAME).read_bytes())
    raw = msgspec.json.encode(now | {"rule": now["rule"] | {"blend": blend}})
    (version / MANIFEST_NAME).write_bytes(raw)
    (version / SIGNATURE_NAME).write_bytes(key.sign(raw))
    announced = Identity("default", "embedding", 1, digest(raw))
    assert "unknown field `visit_gap_ms`" in refused(version, key, announced)


@pytest.mark.parametrize(
    "starts", [[0, 12, 12, 29], [1, 12, 12, 30], [0, 12, 11, 30], [0, 31, 12, 30], [0, 30]]
)
def test_lists_that_are_not_the_items_are_refused_though_signed(
    indexed: Path, key: Ed25519PrivateKey, starts: list[int]
) -> None:
    array = np.array(starts, dtype=np.int32)
    np.save(indexed / "index_starts.npy", array)

    def with_shape(manifest: Manifest) -> Manifest:
        entry = msgspec.structs.replace(manifest.arrays["index_starts"], shape=array.shape)
        return msgspec.structs.replace(manifest, arrays=manifest.arrays | {"index_starts": entry})

    sign_again(indexed, key, with_shape)
    assert "index" in refused(indexed, key)


def test_centres_of_another_size_are_refused_though_signed(
    indexed: Path, key: Ed25519PrivateKey
) -> None:
    np.save(indexed / "index_centres.npy", np.zeros((3, 5), dtype=np.float32))

    def with_shape(manifest: Manifest) -> Manifest:
        entry = msgspec.structs.replace(manifest.arrays["index_centres"], shape=(3, 5))
        return msgspec.structs.replace(manifest, arrays=manifest.arrays | {"index_centres": entry})

    sign_again(indexed, key, with_shape)
    assert "centres" in refused(indexed, key)


@pytest.mark.parametrize("name", INDEX_ARRAYS)
def test_a_changed_byte_of_the_index_is_refused(
    indexed: Path, key: Ed25519PrivateKey, name: str
) -> None:
    path = indexed / f"{name}.npy"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    assert refused(indexed, key) == f"{name}.npy is not what was signed"


def test_index_files_that_the_manifest_has_no_index_for_are_refused(
    indexed: Path, key: Ed25519PrivateKey
) -> None:
    sign_again(indexed, key, lambda m: msgspec.structs.replace(m, index=None))
    assert "does not name the files" in refused(indexed, key)


@pytest.fixture
def with_encoder(
    tmp_path: Path, encoded: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> Path:
    write_manifest(tmp_path, describe(1, write_data(tmp_path, encoded)), key)
    return tmp_path


def test_an_encoder_comes_back_memory_mapped(
    with_encoder: Path, encoded: Embeddings, key: Ed25519PrivateKey
) -> None:
    manifest, read = read_artifact(with_encoder, key.public_key(), WANTED)
    assert manifest.network is Network.SESSIONS
    assert read.encoder is not None
    assert encoded.encoder is not None
    assert read.encoder.items is read.item_vectors
    assert read.encoder.temperature == pytest.approx(0.5)
    ours, theirs = beside_items(read.encoder), beside_items(encoded.encoder)
    assert ours.keys() == theirs.keys() == set(BLOCK), "as in versions from before the inputs"
    for name, array in ours.items():
        assert isinstance(array.base, np.memmap)
        np.testing.assert_array_equal(array, theirs[name])


def told(encoded: Embeddings, *names: str) -> Embeddings:
    assert encoded.encoder is not None
    rng = np.random.default_rng(2)
    tables = told_tables(encoded.item_vectors.shape[1], lambda shape: rng.normal(size=shape))
    some = {name: tables[name] for name in names}
    return replace(encoded, encoder=replace(encoded.encoder, **some))


@pytest.mark.parametrize("names", [("kinds", "pool_kinds"), ("gaps", "pool_ages"), INPUTS])
def test_what_an_encoder_learnt_of_its_inputs_comes_back(
    names: tuple[str, ...],
    tmp_path: Path,
    encoded: Embeddings,
    describe: Describe,
    key: Ed25519PrivateKey,
) -> None:
    ours = told(encoded, *names)
    write_manifest(tmp_path, describe(1, write_data(tmp_path, ours)), key)
    _, read = read_artifact(tmp_path, key.public_key(), WANTED)
    assert read.encoder is not None
    assert ours.encoder is not None
    arrays = beside_items(read.encoder)
    assert arrays.keys() == {*BLOCK, *names}
    for name in names:
        assert isinstance(arrays[name].base, np.memmap)
        np.testing.assert_array_equal(arrays[name], getattr(ours.encoder, name))


def test_inputs_of_a_version_without_an_encoder_are_refused(
    tmp_path: Path, encoded: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    files = write_data(tmp_path, told(encoded, *INPUTS))
    kept = {n: a for n, a in files.arrays.items() if n.removeprefix("encoder_") not in BLOCK}
    bare = replace(files, arrays=kept, network=Network.DOT_PRODUCT)
    write_manifest(tmp_path, describe(1, bare), key)
    assert "does not name the files" in refused(tmp_path, key)


@pytest.mark.parametrize("name", [*BLOCK, *INPUTS])
def test_an_encoder_whose_parts_do_not_fit_is_refused(
    name: str, tmp_path: Path, encoded: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    encoder = told(encoded, *INPUTS).encoder
    assert encoder is not None
    array = getattr(encoder, name)
    longer: dict[str, Any] = {name: np.concatenate([array, array[:1]])}
    crooked = replace(encoder, **longer)
    wrong = replace(encoded, encoder=crooked)
    write_manifest(tmp_path, describe(1, write_data(tmp_path, wrong)), key)
    assert "the encoder's" in refused(tmp_path, key)


@pytest.mark.parametrize("name", INPUTS)
def test_half_of_an_input_is_refused(
    name: str, tmp_path: Path, encoded: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    half = told(encoded, name)
    write_manifest(tmp_path, describe(1, write_data(tmp_path, half)), key)
    assert "the encoder's" in refused(tmp_path, key)


def test_an_encoder_without_a_temperature_is_refused(
    tmp_path: Path, encoded: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    wrong = replace(encoded, dense_weight=-1.0)
    write_manifest(tmp_path, describe(1, write_data(tmp_path, wrong)), key)
    assert "temperature" in refused(tmp_path, key)


def test_a_version_that_keeps_quiet_about_its_encoder_is_refused(
    with_encoder: Path, key: Ed25519PrivateKey
) -> None:
    def quiet(manifest: Manifest) -> Manifest:
        return msgspec.structs.replace(manifest, network=Network.DOT_PRODUCT)

    sign_again(with_encoder, key, quiet)
    assert "does not name the files" in refused(with_encoder, key)
