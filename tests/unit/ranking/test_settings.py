"""How lists are made, as a shop says it in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from millstream.domain.errors import OperatorError
from millstream.domain.lists import Source
from millstream.ranking.settings import RankingSettings, read_ranking


def test_what_the_file_does_not_say_stays(tmp_path: Path) -> None:
    path = tmp_path / "ranking.json"
    path.write_text('{"variety": 0.1, "explore_place": 20, "weights": {"new": 0.5}}')
    found, default = read_ranking(path), RankingSettings()
    assert (found.variety, found.explore_place) == (0.1, 20)
    assert found.weights == {**default.weights, Source.NEW: 0.5}
    assert found.list_length == default.list_length
    assert found.digest() != default.digest()


def test_without_a_file_all_is_by_default() -> None:
    assert read_ranking(None) == RankingSettings()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"varieti": 0.1}', "varieti"),
        ('{"variety": 2}', r"variety"),
        ('{"weights": {"nobody": 1}}', "nobody"),
        ("variety: 0.1", "malformed"),
    ],
)
def test_what_can_not_be_is_named(tmp_path: Path, said: str, told: str) -> None:
    path = tmp_path / "ranking.json"
    path.write_text(said)
    with pytest.raises(OperatorError, match=rf"(?s)ranking\.json.*{told}"):
        read_ranking(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"(?s)none\.json.*No such file"):
        read_ranking(tmp_path / "none.json")
