"""Quality over time as a picture: who leads, and what each cadence of learning gains on static."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from millstream.domain.errors import OperatorError
from millstream.trainer.stream.ours import BY_ENCODER, DOT_PRODUCT, USUAL_SETTINGS
from millstream.trainer.stream.replay import CADENCES, FRESH, STATIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Recalls = Mapping[str, Sequence[float]]
_OURS = ("#0072b2", "#009e73")
_THEIRS = ("#999999", "#cc79a7", "#e69f00", "#d55e00", "#56b4e9")
_BESIDE = {
    DOT_PRODUCT: ("#0072b2", ":"),
    USUAL_SETTINGS: ("#009e73", ":"),
    "production list, fixed weights": ("#000000", ":"),
    "production list": ("#000000", "--"),
    BY_ENCODER: ("#d55e00", "--"),
}
_BY_CADENCE = ("#b3cde3", "#8c96c6", "#88419d", "#009e73", "#e69f00")
"""Okabe and Ito's, which differ for every reader; cadences from pale to dark."""


def draw(found: dict[str, Any], path: Path) -> None:
    """`found`: what `evaluate_stream` gives. Writes the picture to `path`. Raises OperatorError
    where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OperatorError(
            "matplotlib", "not installed", "the package, for --plot", "Install millstream[dev]"
        ) from None
    moments = [datetime.fromisoformat(each) for each in found["over_time"]["times"]]
    times = np.array([moment.replace(tzinfo=None) for moment in moments], dtype="datetime64[s]")
    recalls: Recalls = found["over_time"]["recall_at_20"]
    figure = Figure(figsize=(11, 7.5), dpi=110, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_recalls(upper, times, recalls)
    _draw_gains(lower, times, recalls)
    upper.set_title(_title(found), loc="left", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _title(found: dict[str, Any]) -> str:
    low, high = found["freshness_gain_interval"]
    return (
        f"{found['data']}: {found['learnt']:.0%} learnt first, then {found['questions']:,} "
        "questions, each asked before it is learnt\n"
        f"Static to freshest {found['freshness_gain']:+.3f} ({low:+.3f} to {high:+.3f})"
    )


def _draw_recalls(axes: Axes, times: NDArray[np.datetime64], recalls: Recalls) -> None:
    ours = {STATIC.name: _OURS[0], FRESH.name: _OURS[1]}
    cadences = {cadence.name for cadence in CADENCES}
    others = [name for name in recalls if name not in cadences and name not in _BESIDE]
    for name, colour in ours.items():
        axes.plot(times, recalls[name], color=colour, linewidth=2.4, label=name)
    drawn = {name: (colour, "-") for name, colour in zip(others, _THEIRS, strict=True)}
    beside = {name: drawing for name, drawing in _BESIDE.items() if name in recalls}
    for name, (colour, style) in (drawn | beside).items():
        axes.plot(times, recalls[name], style, color=colour, linewidth=1.3, label=name)
    axes.set_ylabel("recall@20")
    axes.set_ylim(bottom=0)
    _finish(axes)


def _draw_gains(axes: Axes, times: NDArray[np.datetime64], recalls: Recalls) -> None:
    axes.axhline(0, color=_OURS[0], linewidth=1.2)
    updated = [cadence.name for cadence in CADENCES if cadence != STATIC]
    for name, colour in zip(updated, _BY_CADENCE, strict=True):
        gains = [
            fresh - static
            for fresh, static in zip(recalls[name], recalls[STATIC.name], strict=True)
        ]
        style = "--" if "model every day" in name else "-"
        axes.plot(times, gains, style, color=colour, linewidth=1.6, label=name)
    axes.set_ylabel("recall@20 more than static")
    _finish(axes)


def _finish(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator()  # type: ignore[no-untyped-call, unused-ignore]
    axes.xaxis.set_major_locator(locator)
    dates = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call, unused-ignore]
    axes.xaxis.set_major_formatter(dates)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
