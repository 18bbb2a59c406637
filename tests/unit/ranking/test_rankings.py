"""Each tenant's lists by its own file, as far as it says anything, else by everybody's."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.domain.lists import Source
from millstream.ranking.rankings import Rankings, read_rankings
from millstream.ranking.settings import RankingSettings

DEFAULT = RankingSettings()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tenants"
    made.mkdir()
    return made


def test_a_tenants_file_goes_before_everybodys_and_what_it_does_not_say_stays(
    tmp_path: Path, folder: Path
) -> None:
    shared = tmp_path / "ranking.json"
    shared.write_text('{"variety": 0.1, "looked_at": 5, "weights": {"new": 0.5, "repeat": 3}}')
    (folder / "tea-shop.json").write_text('{"looked_at": 0, "weights": {"new": 0}}')
    (folder / "..data").mkdir()
    found = read_rankings(shared, folder)
    assert found.own.keys() == {"tea-shop"}
    tea, other = found.of("tea-shop"), found.of("saw-shop")
    assert (other.variety, other.looked_at) == (0.1, 5)
    assert other.weights == {**DEFAULT.weights, Source.NEW: 0.5, Source.REPEAT: 3.0}
    assert (tea.variety, tea.looked_at) == (0.1, 0)
    assert tea.weights == {**other.weights, Source.NEW: 0.0}
    assert tea.list_length == other.list_length == DEFAULT.list_length
    assert tea.digest() != other.digest()


def test_without_files_all_is_by_default(folder: Path) -> None:
    assert read_rankings(None, None) == read_rankings(None, folder) == Rankings()
    assert Rankings().of("anybody") == DEFAULT


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("tea.json", '{"variety": 2}', r"tea\.json: got .*<= 1.*\$\.variety"),
        ("tea.json", '{"varieti": 0.1}', r"tea\.json: got .*varieti"),
        ("tea.json", "[]", r"tea\.json: got .*object"),
        ("Tea.json", "{}", r"Tea\.json: .*expected a file <tenant>\.json"),
        ("tea.yaml", "{}", r"tea\.yaml: .*expected a file <tenant>\.json"),
    ],
)
def test_what_can_not_be_is_named(folder: Path, name: str, said: str, told: str) -> None:
    (folder / name).write_text(said)
    with pytest.raises(OperatorError, match=told):
        read_rankings(None, folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none: got No such file.*expected a folder"):
        read_rankings(None, tmp_path / "none")
