"""Pseudonym keys in files: the newest signs, all erase, and nobody else reads them."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.privacy.key_files import VARIABLE, every_version, newest, rotate
from millstream.privacy.secret_files import STALE_S


def test_after_a_rotation_a_user_is_a_new_pseudonym_and_the_old_one_is_still_found(
    tmp_path: Path,
) -> None:
    assert rotate(tmp_path, "shop") == 1
    first = newest("shop", tmp_path).shopper("u")
    assert rotate(tmp_path, "shop") == 2
    second = newest("shop", tmp_path).shopper("u")
    assert first != second
    assert [version.shopper("u") for version in every_version(tmp_path, "shop")] == [second, first]


def test_the_tenth_key_comes_after_the_ninth(tmp_path: Path) -> None:
    made = []
    for _ in range(11):
        rotate(tmp_path, "shop")
        made.append(newest("shop", tmp_path).shopper("u"))
    assert [v.shopper("u") for v in every_version(tmp_path, "shop")] == made[::-1]


def test_a_tenant_s_keys_are_its_own(tmp_path: Path) -> None:
    rotate(tmp_path, "a")
    rotate(tmp_path, "b")
    assert newest("a", tmp_path).shopper("u") != newest("b", tmp_path).shopper("u")


def test_two_rotations_at_once_make_two_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: rotate(tmp_path, "shop"), range(8)))
    assert sorted(numbers) == list(range(1, 9))
    assert len({v.shopper("u") for v in every_version(tmp_path, "shop")}) == 8
    assert {p.suffix for p in (tmp_path / "shop").iterdir()} == {".key"}


def test_the_folder_comes_from_the_environment(tmp_path: Path) -> None:
    rotate(tmp_path, "shop")
    found = newest("shop", environ={VARIABLE: str(tmp_path)})
    assert found.shopper("u") == newest("shop", tmp_path).shopper("u")
    with pytest.raises(OperatorError, match=VARIABLE):
        newest("shop", environ={})


def test_only_the_owner_may_read_a_key(tmp_path: Path) -> None:
    rotate(tmp_path, "shop")
    path = tmp_path / "shop" / "1.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(OperatorError, match="mode 0600"):
        newest("shop", tmp_path)


def test_what_a_writer_that_died_left_is_removed_and_one_at_work_is_left_alone(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    left, at_work = folder / ".new-dead", folder / ".new-alive"
    for path, age_s in ((left, STALE_S + 5), (at_work, 1)):
        path.write_text("half a secret")
        now = path.stat().st_mtime
        os.utime(path, (now - age_s, now - age_s))
    rotate(tmp_path, "shop")
    assert {path.name for path in folder.iterdir()} == {".new-alive", "1.key"}


@pytest.mark.parametrize("content", [b"", b"secret!", b"c2hvcnQ=\n"])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, content: bytes) -> None:
    rotate(tmp_path, "shop")
    (tmp_path / "shop" / "1.key").write_bytes(content)
    with pytest.raises(OperatorError, match="32 bytes") as refused:
        newest("shop", tmp_path)
    assert not content.strip() or content.decode().strip() not in str(refused.value)


def test_no_key_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"keys pseudonyms rotate --tenant shop"):
        every_version(tmp_path, "shop")
