"""The encoder's learning curve as a picture: held-out quality against minutes of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from millstream.domain.errors import OperatorError

_CURVES = (("hr_at_20", "HR@20", "#0072b2"), ("mrr_at_20", "MRR@20", "#d55e00"))
"""Okabe and Ito's colours, which differ for every reader."""


def draw(found: dict[str, Any], name: str, directory: Path) -> Path:
    """`found`: what `evaluate_sessions` gives. Writes sessions-<name>.png and returns its path.
    Raises OperatorError where matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OperatorError(
            "matplotlib", "not installed", "the package, for --plot", "Install millstream[dev]"
        ) from None
    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    for axes, (key, label, colour) in zip(figure.subplots(1, 2), _CURVES, strict=True):
        for run in found["seeds"]:
            points = run["encoder_held_out"]
            minutes = [point["cpu_minutes"] for point in points]
            axes.plot(minutes, [point[key] for point in points], "o-", color=colour, alpha=0.7)
        axes.set_xlabel("CPU minutes of the encoder, from its start vectors")
        axes.set_title(f"{name}: {label} on held-out sessions", loc="left", fontsize=10)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"sessions-{name}.png"
    figure.savefig(path)
    return path
