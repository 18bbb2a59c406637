"""A review model comes back as it was written; what was touched since is refused before use."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.review_models import ASKED, MODELS, describe_reviews, linear_model, lstm_model

from millstream.model.manifest import ArtifactRefused, digest
from millstream.model.sentiment.artifact import (
    ARRAYS,
    MAX_LENGTH,
    ReviewArrays,
    named_arrays,
    read_review_model,
    sentiment_of,
    write_review_model,
)
from millstream.model.sentiment.manifest import ReviewKind, ReviewManifest
from millstream.model.sentiment.terms import MAX_WORDS
from millstream.model.signed_files import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    Identity,
    write_manifest,
)
from millstream.model.vocabulary import Vocabulary

WANTED = Identity("default", "sentiment", 1)
NAMES = [(kind, name) for kind, named in ARRAYS.items() for name in named]
FILES = [
    (kind, name)
    for kind, named in ARRAYS.items()
    for name in (*(f"{array}.npy" for array in named), "words.json", MANIFEST_NAME, SIGNATURE_NAME)
]


def written(directory: Path, arrays: ReviewArrays, key: Ed25519PrivateKey) -> Path:
    write_manifest(directory, describe_reviews(1, write_review_model(directory, arrays)), key)
    return directory


def refused(version: Path, key: Ed25519PrivateKey, wanted: Identity = WANTED) -> str:
    with pytest.raises(ArtifactRefused) as caught:
        read_review_model(version, key.public_key(), wanted)
    return caught.value.reason


def sign_again(
    version: Path,
    key: Ed25519PrivateKey,
    edit: Callable[[ReviewManifest], ReviewManifest] = lambda manifest: manifest,
) -> None:
    """As a trainer would that has our key: hashes, sizes and shapes are those of the files."""
    manifest = msgspec.json.decode((version / MANIFEST_NAME).read_bytes(), type=ReviewManifest)
    arrays = {
        name: msgspec.structs.replace(
            entry, **_facts(version / f"{name}.npy"), shape=_shape(version / f"{name}.npy")
        )
        for name, entry in manifest.arrays.items()
    }
    lists = {
        name: msgspec.structs.replace(
            entry,
            **_facts(version / f"{name}.json"),
            length=len(msgspec.json.decode((version / f"{name}.json").read_bytes())),
        )
        for name, entry in manifest.lists.items()
    }
    write_manifest(
        version, edit(msgspec.structs.replace(manifest, arrays=arrays, lists=lists)), key
    )


def _facts(path: Path) -> dict[str, Any]:
    raw = path.read_bytes()
    return {"sha256": digest(raw), "size": len(raw)}


def _shape(path: Path) -> tuple[int, ...]:
    try:
        array: NDArray[Any] = np.load(path)
    except ValueError:
        return ()
    return array.shape


@pytest.mark.parametrize("kind", ReviewKind)
def test_what_was_written_judges_as_it_did(
    tmp_path: Path, key: Ed25519PrivateKey, kind: ReviewKind
) -> None:
    arrays = MODELS[kind]
    manifest, read = read_review_model(written(tmp_path, arrays, key), key.public_key(), WANTED)
    assert (manifest.kind, read.words.ids) == (kind, arrays.words.ids)
    assert manifest.reviews.learnt == 80
    for name, values in named_arrays(arrays).items():
        found = named_arrays(read)[name]
        assert found.dtype == values.dtype
        np.testing.assert_array_equal(found, values)
    before, after = (sentiment_of(one).probabilities(ASKED) for one in (arrays, read))
    assert after.tobytes() == before.tobytes(), "the reloaded model judges otherwise"
    assert len(set(before.tolist())) > 2, "the reviews do not tell two models apart"


def test_arrays_stay_on_disk_until_they_are_asked_for(
    tmp_path: Path, key: Ed25519PrivateKey
) -> None:
    _, read = read_review_model(written(tmp_path, linear_model(), key), key.public_key(), WANTED)
    assert isinstance(read, type(linear_model()))
    assert all(isinstance(array.base, np.memmap) for array in (read.keys, read.terms))


@given(data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", ReviewKind)
def test_any_changed_byte_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    key: Ed25519PrivateKey,
    kind: ReviewKind,
    data: st.DataObject,
) -> None:
    version = written(tmp_path_factory.mktemp("version"), MODELS[kind], key)
    path = version / data.draw(st.sampled_from([name for of, name in FILES if of is kind]))
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    assert "sign" in refused(version, key)


@pytest.mark.parametrize(("kind", "name"), FILES)
def test_a_missing_or_truncated_file_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, kind: ReviewKind, name: str
) -> None:
    path = written(tmp_path, MODELS[kind], key) / name
    path.write_bytes(path.read_bytes()[:-1])
    assert "sign" in refused(tmp_path, key)
    path.unlink()
    assert f"{name} cannot be read" in refused(tmp_path, key)


@pytest.mark.parametrize(
    "wanted",
    [
        Identity("other", "sentiment", 1),
        Identity("default", "embedding", 1),
        Identity("default", "sentiment", 2),
        Identity("default", "sentiment", 1, "0" * 64),
    ],
)
def test_another_version_than_the_one_meant_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, wanted: Identity
) -> None:
    assert "the manifest" in refused(written(tmp_path, linear_model(), key), key, wanted)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_shape_that_does_not_fit_the_others_is_refused_though_signed(
    tmp_path: Path, key: Ed25519PrivateKey, kind: ReviewKind, name: str
) -> None:
    version = written(tmp_path, MODELS[kind], key)
    array = np.load(version / f"{name}.npy")
    np.save(version / f"{name}.npy", np.concatenate([array, array[:1]]))
    sign_again(version, key)
    assert "has shape" in refused(version, key)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_a_number_by_itself_is_no_array(
    tmp_path: Path, key: Ed25519PrivateKey, kind: ReviewKind, name: str
) -> None:
    version = written(tmp_path, MODELS[kind], key)
    np.save(version / f"{name}.npy", np.array(1, dtype=ARRAYS[kind][name]))
    sign_again(version, key)
    assert refused(version, key)


@pytest.mark.parametrize(("kind", "name"), NAMES)
def test_another_number_type_is_refused_though_signed(
    tmp_path: Path, key: Ed25519PrivateKey, kind: ReviewKind, name: str
) -> None:
    version = written(tmp_path, MODELS[kind], key)
    array = np.load(version / f"{name}.npy")
    np.save(version / f"{name}.npy", array.astype(np.float64))
    sign_again(version, key)
    assert refused(version, key) == f"{name}.npy does not hold {ARRAYS[kind][name]}"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("kind", "name"), [(k, n) for k, n in NAMES if ARRAYS[k][n].startswith("<f")]
)
def test_numbers_that_are_not_finite_are_refused_though_signed(
    tmp_path: Path, key: Ed25519PrivateKey, kind: ReviewKind, name: str, value: float
) -> None:
    version = written(tmp_path, MODELS[kind], key)
    array = np.load(version / f"{name}.npy")
    array.flat[-1] = value
    np.save(version / f"{name}.npy", array)
    sign_again(version, key)
    assert refused(version, key) == f"{name}.npy holds numbers that are not finite"


@pytest.mark.parametrize("keys", [[2, 1], [1, 1], [-1, 1]])
def test_keys_that_do_not_rise_are_refused(
    tmp_path: Path, key: Ed25519PrivateKey, keys: list[int]
) -> None:
    model = linear_model()
    crooked = replace(model, keys=np.array(keys), terms=model.terms[:2])
    assert refused(written(tmp_path, crooked, key), key) == "the keys do not rise"


def test_a_square_below_zero_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    wrong = replace(linear_model(), terms=-np.abs(linear_model().terms))
    assert refused(written(tmp_path, wrong, key), key) == "a square is below zero"


@pytest.mark.parametrize("length", [0, -1, MAX_LENGTH + 1])
def test_a_length_without_sense_is_refused(
    tmp_path: Path, key: Ed25519PrivateKey, length: int
) -> None:
    wrong = replace(lstm_model(), length=length)
    assert f"it reads {length} ids" in refused(written(tmp_path, wrong, key), key)


def test_a_model_that_knows_nothing_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    model = linear_model()
    mute = replace(model, keys=model.keys[:0], terms=model.terms[:0])
    assert refused(written(tmp_path, mute, key), key)


@pytest.mark.parametrize("count", [0, MAX_WORDS + 1])
def test_no_words_and_more_than_a_key_has_room_for_are_refused(
    tmp_path: Path, key: Ed25519PrivateKey, count: int
) -> None:
    wrong = replace(linear_model(), words=Vocabulary(map(str, range(count))))
    assert f"{count} words" in refused(written(tmp_path, wrong, key), key)


@pytest.mark.parametrize(
    "content", [b'["a","a"]', b'{"a":1}', b"[1,2]", b"[" * 10_000], ids=["twice", "map", "n", "["]
)
def test_a_broken_list_of_words_is_refused_though_signed(
    tmp_path: Path, key: Ed25519PrivateKey, content: bytes
) -> None:
    version = written(tmp_path, linear_model(), key)
    raw = (version / MANIFEST_NAME).read_bytes()
    manifest = msgspec.json.decode(raw, type=ReviewManifest)
    (version / "words.json").write_bytes(content)
    entry = msgspec.structs.replace(manifest.lists["words"], **_facts(version / "words.json"))
    write_manifest(version, msgspec.structs.replace(manifest, lists={"words": entry}), key)
    assert "not a list of different texts" in refused(version, key)


class Planted:
    """Unpickling it would leave a mark."""

    fired = False

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return setattr, (Planted, "fired", True)


@pytest.mark.parametrize("bare", [True, False])
def test_a_planted_pickle_is_refused_and_not_run(
    tmp_path: Path, key: Ed25519PrivateKey, bare: bool
) -> None:
    version = written(tmp_path, linear_model(), key)
    path = version / "terms.npy"
    if bare:
        path.write_bytes(pickle.dumps(Planted()))
    else:
        np.save(path, np.array([Planted()], dtype=object), allow_pickle=True)
    sign_again(version, key)
    assert "terms.npy" in refused(version, key)
    assert not Planted.fired, "the pickle was executed"


def test_the_other_kinds_files_are_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    version = written(tmp_path, linear_model(), key)
    sign_again(version, key, lambda m: msgspec.structs.replace(m, kind=ReviewKind.LSTM))
    assert "does not name the files" in refused(version, key)


def test_a_file_too_many_is_refused(tmp_path: Path, key: Ed25519PrivateKey) -> None:
    def with_path(manifest: ReviewManifest) -> ReviewManifest:
        more = manifest.arrays | {"../../terms": manifest.arrays["terms"]}
        return msgspec.structs.replace(manifest, arrays=more)

    version = written(tmp_path, linear_model(), key)
    sign_again(version, key, with_path)
    assert "does not name the files" in refused(version, key)
