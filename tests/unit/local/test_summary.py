"""Figures that are not what was promised are told, each by its name."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from rich.console import Console

from millstream.cli.playing import report
from millstream.cli.result import Asked
from millstream.local.recordings import DEMO_REQUIRED, online_retail
from millstream.local.summary import InsightsSummary, Required
from millstream.local.takeover import Takeover

GOOD = InsightsSummary(
    accepted=20_000,
    dead_lettered=0,
    skipped=7,
    lists=1000,
    models_promoted=2,
    event_to_list_p50_ms=20.0,
    event_to_list_p99_ms=1000.0,
    recall_at_20=0.2,
    popularity_recall_at_20=0.1,
    recall_over_popularity=2.0,
    cases=5,
    cases_without_list=1,
    popularity_baseline="plain",
    first_model_recall_at_20=0.1,
    second_model_recall_at_20=0.2,
    later_invoices=5,
    shoppers_left_behind=0,
    lost=0,
    doubled=0,
    lost_lines=0,
    doubled_lines=0,
    first_list_s=1.0,
    seconds=1.0,
    broker="b",
    redis="r",
    forecasts=100,
    reviews_judged=450,
    reviews_counted=400,
    reviews_lost=0,
    reviews_doubled=0,
    review_reason="popular, liked by 90 % of reviewers",
)
REPLAY = Required(rows=20_007, better_than_popularity=True)
TAKEN_OVER = Takeover(
    accepted=10_000,
    lost=0,
    doubled=0,
    takeover_s=30.0,
    lost_lines=0,
    doubled_lines=0,
    shoppers_left_behind=0,
    lists=1,
    broker="b",
    redis="r",
)
NEVER = ["lost", "doubled", "lost_lines", "doubled_lines", "shoppers_left_behind"]


def named(failures: list[str]) -> list[str]:
    return [failure.split()[0] for failure in failures]


def test_what_just_reaches_every_promise_fails_none() -> None:
    assert GOOD.failures(DEMO_REQUIRED) == []
    assert GOOD.failures(REPLAY) == []
    assert TAKEN_OVER.failures() == []


@pytest.mark.parametrize("name", NEVER)
def test_losses_and_doubles_fail_whatever_else_is_required(name: str) -> None:
    changes: dict[str, Any] = {name: 1}
    assert named(replace(GOOD, **changes).failures(Required())) == [name]
    assert named(replace(TAKEN_OVER, **changes).failures()) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("accepted", 19_999),
        ("lists", 999),
        ("models_promoted", 1),
        ("forecasts", 99),
        ("reviews_counted", 399),
        ("review_reason", ""),
        ("event_to_list_p99_ms", 1000.1),
        ("recall_over_popularity", 1.0),
        ("second_model_recall_at_20", 0.1),
        ("second_model_recall_at_20", None),
    ],
)
def test_the_demo_promises_figures(name: str, value: float | None) -> None:
    changes: dict[str, Any] = {name: value}
    worse = replace(GOOD, **changes)
    assert named(worse.failures(DEMO_REQUIRED)) == [name]
    assert worse.failures(Required()) == []


@pytest.mark.parametrize("name", ["reviews_lost", "reviews_doubled"])
def test_reviews_that_are_lost_or_doubled_fail(name: str) -> None:
    changes: dict[str, Any] = {name: 1}
    assert named(replace(GOOD, **changes).failures(Required())) == [name]


@pytest.mark.parametrize("accepted", [19_999, 20_001])
def test_a_replay_accepts_every_row_that_it_does_not_skip(accepted: int) -> None:
    assert named(replace(GOOD, accepted=accepted).failures(REPLAY)) == ["accepted"]


def test_a_replay_beats_the_best_sellers() -> None:
    assert named(replace(GOOD, recall_over_popularity=1.0).failures(REPLAY)) == [
        "recall_over_popularity"
    ]


def test_a_takeover_in_time_with_enough_events() -> None:
    assert named(replace(TAKEN_OVER, accepted=9_999).failures()) == ["accepted"]
    assert named(replace(TAKEN_OVER, takeover_s=30.01).failures()) == ["takeover_s"]


def test_only_the_whole_demo_has_its_totals_required() -> None:
    assert online_retail(date(2010, 12, 2)).required == Required()
    assert online_retail().required == DEMO_REQUIRED


async def taken_over(_console: Console) -> Takeover:
    return replace(TAKEN_OVER, lost=2)


def test_the_command_prints_all_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        report(taken_over, True, Takeover.failures)
    assert ended.value.code == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["lost"] == 2
    assert printed.err == "Not as promised: lost is 2, 0 was promised.\n"


def test_where_it_is_asked_the_result_says_what_made_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report(taken_over, True, lambda _taken_over: [], Asked("verify takeover", (1, 2)))
    told = json.loads(capsys.readouterr().out)
    assert told["command"] == "millstream verify takeover --json"
    assert (told["seed"], told["lost"]) == ([1, 2], 2)
    assert told["cpu_minutes"] > 0 < told["peak_gib"]


def test_the_command_succeeds_where_nothing_fails() -> None:
    report(taken_over, True, lambda _taken_over: [])
