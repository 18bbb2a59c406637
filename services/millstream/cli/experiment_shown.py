"""What an experiment has shown, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group
from rich.table import Table
from rich.text import Text

from millstream.domain.experiments import (
    ExperimentTerms,
    Metric,
    Signed,
    Variant,
    named_versions,
)
from millstream.experiments.report import Decision, ExperimentReport, Figure, VariantReport
from millstream.experiments.sample_ratio import SampleRatio, Split
from millstream.experiments.showing import ExperimentShown, ListedExperiment

TOO_FEW = "too few yet"
DECISIONS = {
    Decision.CONTROL: ("compared with", ""),
    Decision.UNDECIDED: ("not decided yet", ""),
    Decision.BETTER: ("better", "green"),
    Decision.WORSE: ("worse", "bold red"),
    Decision.NO_DIFFERENCE: ("no difference", ""),
    Decision.VOID: ("void", "bold red"),
}
METRICS = {
    Metric.CLICKED: "clicked",
    Metric.BOUGHT: "bought",
    Metric.CLICK_THROUGH: "click-through",
}


def rendered(told: ExperimentShown, tenant: str) -> Group:
    one = told.experiment
    said = [Text(f"{one.experiment_id} of tenant {tenant}: {_standing(one)}", style="bold")]
    if one.terms.note:
        said.append(Text(one.terms.note))
    return Group(
        *said,
        Text(f"Begun {_signed(one.begun)}. {_counted(told.counted_to)}"),
        _split(told.report.split),
        _variants(told),
        Text("What settled shoppers did in their first day; intervals hold at every look."),
        _verdict(one, told.report),
    )


def _standing(one: ListedExperiment) -> str:
    if one.running:
        return f"runs until {_when(one.over_at)}"
    return f"ended {_signed(one.ended)}" if one.ended else f"over since {_when(one.over_at)}"


def _signed(by: Signed) -> str:
    return f"{_when(by.at)} with {by.key_note or by.key_id}"


def _when(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _counted(to: datetime | None) -> str:
    if to is None:
        return "Nothing is counted: `millstream attribution` does so while it runs."
    return f"Counted up to {_when(to)}."


def _split(split: SampleRatio) -> Text:
    found = f"p {split.always_valid_p:.2g} at every look, {split.p_value:.2g} for one"
    if split.verdict is Split.FITS:
        return Text(f"The split is as laid down ({found}).")
    return Text(f"The split is not what was laid down ({found}).", style="bold red")


def _variants(told: ExperimentShown) -> Table:
    """A column a variant, so that two of them fit where people look."""
    metric = METRICS[told.experiment.terms.metric]
    table = Table("")
    for one in told.report.variants:
        table.add_column(Text(one.name), justify="right")
    of_each = [
        {**_version(of, told.experiment.terms), **_cells(one)}
        for of, one in zip(told.experiment.terms.variants, told.report.variants, strict=True)
    ]
    for name in of_each[0]:
        heading = f"difference: {metric}" if name == "difference" else name
        table.add_row(heading, *(cells[name] for cells in of_each))
    return table


def _version(of: Variant, terms: ExperimentTerms) -> dict[str, Text]:
    """A row where any variant names one."""
    if not named_versions(terms):
        return {}
    version = of.model_version
    return {"model version": Text("whichever serves" if version is None else str(version))}


def _cells(one: VariantReport) -> dict[str, Text]:
    decision, style = DECISIONS[one.decision]
    control = one.decision is Decision.CONTROL
    return {
        "share": Text(f"{one.share / 10:.1f} %"),
        "shoppers": Text(f"{one.shoppers:,}"),
        "settled": Text(f"{one.settled:,}"),
        "places seen": Text(f"{one.places_seen:,}"),
        "of them clicked": Text(f"{one.places_clicked:,}"),
        "shoppers who clicked": Text(f"{one.clickers:,}"),
        "shoppers who bought": Text(f"{one.buyers:,}"),
        METRICS[Metric.CLICK_THROUGH]: Text(_figure(one.click_through)),
        METRICS[Metric.CLICKED]: Text(_figure(one.clicked)),
        METRICS[Metric.BOUGHT]: Text(_figure(one.bought)),
        "difference": Text("-" if control else _figure(one.difference, points=True)),
        "decision": Text(decision, style=style),
    }


def _figure(of: Figure, points: bool = False) -> str:
    if of.value is None or of.low is None or of.high is None:
        return TOO_FEW
    sign, unit = ("+", "points") if points else ("", "%")
    value, low, high = (f"{100 * part:{sign}.2f}" for part in (of.value, of.low, of.high))
    return f"{value} {unit}\n{low} to {high}"


def _verdict(one: ListedExperiment, report: ExperimentReport) -> Text:
    return Text(" ".join(_concluded(one, report)), style="bold")


def _concluded(one: ListedExperiment, report: ExperimentReport) -> Iterator[str]:
    if report.split.verdict is Split.MISMATCH:
        yield "Void: shoppers were lost on the way, and no figure means anything."
        yield "Look for what drops or repeats lists of one variant."
    elif report.may_stop:
        yield "Every variant is decided."
        if one.running:
            yield "It may be stopped."
    else:
        yield "Not every variant is decided."
