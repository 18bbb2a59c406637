"""The key pair is made once and only its owner can read the private half."""

from __future__ import annotations

import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from millstream.domain.errors import OperatorError
from millstream.model.signing import (
    LETTERS,
    PRIVATE_NAME,
    PUBLIC_NAME,
    copy_public_key,
    create_keys,
    known_letter_key,
    letter_key,
    letters_judged_by,
    load_private_key,
    load_public_key,
)
from millstream.settings import ConnectionSettings, load
from millstream.setup import make_letter_keys


def test_the_pair_fits_and_a_second_call_keeps_it(tmp_path: Path) -> None:
    home = tmp_path / "keys"
    assert create_keys(home)
    first = (home / PRIVATE_NAME).read_bytes()
    assert not create_keys(home)
    assert (home / PRIVATE_NAME).read_bytes() == first
    assert stat.S_IMODE((home / PRIVATE_NAME).stat().st_mode) == 0o600
    load_public_key(home).verify(load_private_key(home).sign(b"manifest"), b"manifest")
    assert sorted(path.name for path in home.iterdir()) == [PRIVATE_NAME, PUBLIC_NAME]


def test_the_public_key_is_copied_alone(tmp_path: Path) -> None:
    keys, public = tmp_path / "keys", tmp_path / "public"
    create_keys(keys)
    for _ in range(2):
        copy_public_key(keys, public)
        assert [path.name for path in public.iterdir()] == [PUBLIC_NAME]
    load_public_key(public).verify(load_private_key(keys).sign(b"x"), b"x")


@pytest.mark.parametrize("there", [PUBLIC_NAME, PRIVATE_NAME])
def test_a_public_folder_with_another_key_is_refused(tmp_path: Path, there: str) -> None:
    keys, other = tmp_path / "keys", tmp_path / "other"
    create_keys(keys)
    create_keys(other)
    (tmp_path / "public").mkdir()
    shutil.copy(other / there, tmp_path / "public" / there)
    with pytest.raises(OperatorError, match="holds another key"):
        copy_public_key(keys, tmp_path / "public")


def test_a_lost_public_key_is_made_from_the_private_one(tmp_path: Path) -> None:
    create_keys(tmp_path)
    before = load_public_key(tmp_path).public_bytes(Encoding.Raw, PublicFormat.Raw)
    (tmp_path / PUBLIC_NAME).unlink()
    assert not create_keys(tmp_path)
    after = load_public_key(tmp_path).public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert after == before


def test_of_many_at_once_one_makes_the_pair(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_keys(tmp_path), range(8)))
    assert sum(made) == 1
    load_public_key(tmp_path).verify(load_private_key(tmp_path).sign(b"x"), b"x")


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path)
    (tmp_path / PRIVATE_NAME).chmod(0o640)
    with pytest.raises(OperatorError, match="0600"):
        load_private_key(tmp_path)


def test_a_missing_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="millstream init"):
        load_public_key(tmp_path)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / PUBLIC_NAME).write_text("not a key")
    (tmp_path / PRIVATE_NAME).write_text("not a key")
    (tmp_path / PRIVATE_NAME).chmod(0o600)
    with pytest.raises(OperatorError, match="Ed25519"):
        load_public_key(tmp_path)
    with pytest.raises(OperatorError, match="Ed25519"):
        load_private_key(tmp_path)


def test_letters_have_a_key_of_their_own_and_those_signed_before_it_count_on(
    tmp_path: Path,
) -> None:
    assert letter_key(tmp_path) is None
    create_keys(tmp_path)
    before, first = letter_key(tmp_path), letters_judged_by(tmp_path)
    assert before is not None
    assert [before.public_key()] == list(first)
    create_keys(tmp_path, LETTERS)
    after = letter_key(tmp_path)
    assert after is not None
    assert letters_judged_by(tmp_path) == (before.public_key(), after.public_key())
    assert before.public_key() != after.public_key()


def test_a_letter_key_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    keys, letters = tmp_path / "keys", tmp_path / "letters"
    create_keys(keys)
    letters.mkdir()
    assert known_letter_key(letters, keys) is None
    create_keys(letters, LETTERS)
    expected = r"signs letters.*public half is not in .*letter-signing\.pub.*`millstream init`"
    with pytest.raises(OperatorError, match=expected):
        known_letter_key(letters, keys)
    create_keys(keys, LETTERS)  # of another pair
    with pytest.raises(OperatorError, match=expected):
        known_letter_key(letters, keys)
    for name in LETTERS:
        (keys / name).unlink()
    copy_public_key(letters, keys, LETTERS)
    known = known_letter_key(letters, keys)
    assert known is not None
    assert known.public_key() == load_public_key(keys, LETTERS)
    models = known_letter_key(keys, keys)
    assert models is not None, "where letters have no pair of their own"
    assert models.public_key() == load_public_key(keys)


def test_whoever_signs_letters_sees_no_key_of_models(tmp_path: Path) -> None:
    keys, letters, public = (tmp_path / name for name in ("keys", "letters", "public"))
    settings = load(
        ConnectionSettings, keys_dir=keys, letter_keys_dir=letters, public_keys_dir=public
    )
    for _ in range(2):
        create_keys(keys)
        make_letter_keys(settings)
    assert {path.name for path in letters.iterdir()} == set(LETTERS)
    signer = letter_key(letters)
    assert signer is not None
    for folder in (keys, public):
        assert load_public_key(folder, LETTERS) == signer.public_key()
        assert not (folder / LETTERS.private).exists()
