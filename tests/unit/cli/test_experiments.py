"""`millstream experiments show`: which one is meant, and what a person reads of it."""

from __future__ import annotations

import io
from datetime import datetime

import msgspec
import pytest
from rich.console import Console
from tests.unit.stores.test_experiment_book import DAY, NOON, Hour, experiment, take

from millstream.cli.experiment_shown import TOO_FEW, rendered
from millstream.cli.experiments import MOST_NAMED, chosen
from millstream.domain.errors import OperatorError
from millstream.domain.experiments import Experiment, ExperimentTerms, Metric, Signed, Variant
from millstream.experiments.outcomes import Outcomes
from millstream.experiments.report import report
from millstream.experiments.showing import ExperimentShown, listed
from millstream.stores.experiment_book import ExperimentBook

MANY = 10_000


def book(*experiments: Experiment) -> ExperimentBook:
    made = ExperimentBook(Hour())
    for one in experiments:
        take(made, one)
    return made


def told(
    clickers: tuple[int, int],
    came: tuple[int, int] = (MANY, MANY),
    now: datetime = NOON,
    **changes: object,
) -> ExperimentShown:
    """Of MANY settled shoppers a variant, who each saw four places and clicked one or none."""
    one = msgspec.structs.replace(experiment("fewer-best-sellers"), **changes)
    sums = {
        name: Outcomes(MANY, n, n // 10, MANY, 4 * MANY, n, 16 * MANY, n, 4 * n)
        for name, n in zip(("a", "b"), clickers, strict=True)
    }
    shoppers = dict(zip(("a", "b"), came, strict=True))
    return ExperimentShown(listed(one, now), report(one.terms, shoppers, sums), NOON)


def text(shown: ExperimentShown) -> str:
    """At the width of a terminal that nobody has widened."""
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(rendered(shown, "shop"))
    return out.getvalue()


def row(shown: ExperimentShown, heading: str) -> list[str]:
    [found] = [line for line in text(shown).splitlines() if line.lstrip("│ ").startswith(heading)]
    return [cell.strip() for cell in found.strip("│ ").split("│")][1:]


def test_the_one_that_runs_is_meant_and_else_the_newest() -> None:
    over, runs = experiment("over", begins=-9), experiment("runs", begins=-1)
    older = experiment("older", begins=-20)
    assert chosen(book(older, runs, over), "shop", None).experiment_id == "runs"
    assert chosen(book(older, over), "shop", None).experiment_id == "over"
    assert chosen(book(older, runs, over), "shop", "older").experiment_id == "older"


def test_a_tenant_without_any_is_named() -> None:
    with pytest.raises(OperatorError, match=r"tenant other: got no experiment.*docs/experiments"):
        chosen(book(experiment("e")), "other", None)


def test_a_name_that_is_none_is_told_beside_those_there_are() -> None:
    with pytest.raises(OperatorError, match=r"experiment 'f'.*tenant shop; expected e$"):
        chosen(book(experiment("e")), "shop", "f")
    many = [experiment(f"e{n}", begins=-n) for n in range(MOST_NAMED + 1)]
    with pytest.raises(OperatorError, match=r"one of the newest, e0, e1, .*e9$"):
        chosen(book(*many), "shop", "f")


def test_versions_of_the_model_stand_beside_them_where_one_is_named() -> None:
    variants = Variant("a", 500), Variant("b", 500, model_version=7)
    assert "model version" not in text(told((500, 900)))
    shown = told((500, 900), terms=ExperimentTerms(variants, Metric.CLICKED))
    assert row(shown, "model version") == ["whichever serves", "7"]


def test_what_was_counted_and_what_is_shown_stand_by_variant() -> None:
    shown = told((500, 900))
    assert row(shown, "share") == ["50.0 %", "50.0 %"]
    assert row(shown, "settled") == ["10,000", "10,000"]
    assert row(shown, "places seen") == ["40,000", "40,000"]
    assert row(shown, "of them clicked") == ["500", "900"]
    assert row(shown, "shoppers who clicked") == ["500", "900"]
    assert row(shown, "shoppers who bought") == ["50", "90"]
    assert row(shown, "click-through") == ["1.25 %", "2.25 %"]
    assert row(shown, "clicked") == ["5.00 %", "9.00 %"]
    assert row(shown, "difference: clicked") == ["-", "+4.00 points"]
    assert row(shown, "decision") == ["compared with", "better"]
    low, high = shown.report.variants[1].difference.low, shown.report.variants[1].difference.high
    assert low is not None
    assert high is not None
    assert f"{100 * low:+.2f} to {100 * high:+.2f}" in text(shown)
    assert "runs until 2026-01-03 12:00 UTC" in text(shown)
    assert "The split is as laid down" in text(shown)
    assert "Every variant is decided. It may be stopped." in text(shown)


def test_too_few_are_said_to_be_and_nothing_is_concluded() -> None:
    shown = told((5, 500))
    assert row(shown, "clicked") == [TOO_FEW, "5.00 %"]
    assert row(shown, "decision") == ["compared with", "not decided yet"]
    assert "Not every variant is decided." in text(shown)


def test_a_wrong_split_is_said_before_any_figure_and_voids_the_verdict() -> None:
    shown = text(told((500, 900), came=(MANY, 11_000)))
    assert shown.index("The split is not what was laid down") < shown.index("settled")
    assert "Void: shoppers were lost on the way" in shown
    assert "is decided" not in shown


def test_one_that_is_over_says_since_when_and_who_ended_it() -> None:
    assert "over since 2026-01-03 12:00 UTC" in text(told((500, 900), now=NOON + 2 * DAY))
    by = Signed(NOON + DAY, "k1", "[red]the page's[/red]")
    ended = " ".join(text(told((500, 900), now=NOON + 2 * DAY, ended=by)).split())
    assert "ended 2026-01-02 12:00 UTC with [red]the page's[/red]" in ended
    assert "It may be stopped" not in ended


def test_without_attribution_it_says_who_counts() -> None:
    shown = msgspec.structs.replace(told((500, 900)), counted_to=None)
    assert "Nothing is counted: `millstream attribution`" in " ".join(text(shown).split())
