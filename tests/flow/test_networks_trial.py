"""The figures of `millstream evaluate networks`, with a factorisation in place of the networks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from tests.factorised import factorised_network

from millstream.domain.errors import OperatorError
from millstream.domain.models import Network
from millstream.local.gate_trials import SERVING
from millstream.local.networks_trial import (
    LEARNT_WAY,
    WEIGHTS,
    Row,
    _over_seeds,
    evaluate_networks,
    world_of,
)
from millstream.trainer.settings import TrainerSettings

SETTINGS = TrainerSettings.model_construct()


def test_each_network_is_told_alone_and_by_what_it_is_worth_in_a_list() -> None:
    lines: list[str] = []
    found = evaluate_networks(world_of(None, SETTINGS), factorised_network, 1, lines.append)
    rows = {(row["name"], row["weight"]): row for row in found["rows"]}
    ways = (*WEIGHTS, LEARNT_WAY)
    assert set(rows) == {(str(network), way) for network in Network for way in ways}
    for network in Network:
        alone = {rows[network, weight]["model_recall_at_20"] for weight in WEIGHTS}
        assert len(alone) == 1, "a weight changes nothing of the model by itself"
    without = [rows[network, 0.0]["list_recall_at_20"] for network in Network]
    assert without[0] == without[1] > 0.1
    assert rows["dot-product", 1.0]["model_recall_at_20"] > 0.05
    assert found["questions"] > 500
    assert len(rows["sessions", LEARNT_WAY]["ways"]) == found["seeds"] == 1


def test_over_seeds_it_is_the_mean_and_what_lies_between_the_ends() -> None:
    figures = [{"list_recall_at_20": value} for value in (0.1, 0.4, 0.25)]
    rows = [Row(Network.SESSIONS, LEARNT_WAY, SERVING, each) for each in figures]
    told = _over_seeds(rows)
    assert told["list_recall_at_20"] == 0.25
    assert told["spread"] == {"list_recall_at_20": 0.3}
    assert told["ways"] == [{"weight": 1.0, "blend": None}] * 3


def test_visits_of_a_recording_are_asked_inside(tmp_path: Path) -> None:
    """40 visitors look at five things each in two visits, the second of them after the border."""
    with (tmp_path / "events.csv").open("w") as file:
        told = csv.writer(file)
        told.writerow(["user", "item", "event", "timestamp"])
        for day in (0, 1):
            for visitor in range(40):
                for number in range(5):
                    at_s = 1_433_000_000 + day * 86_400 + visitor * 60 + number
                    told.writerow([visitor, (visitor + number + 5 * day) % 20, "view", at_s])
    settings = SETTINGS.model_copy(update={"min_item_lines": 1, "min_user_lines": 1})
    world = world_of(tmp_path, settings)
    assert 300 <= world.before.height <= 340
    assert {len(query.wanted) for query in world.exam.queries} == {1}
    for query in world.exam.queries:
        assert query.recent, "inside a visit something was touched before"
        assert not query.wanted & set(query.recent_items)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"events\.csv"):
        world_of(tmp_path, SETTINGS)
