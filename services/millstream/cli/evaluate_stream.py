"""`millstream evaluate stream`: lists as time goes by, on recorded events."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result

_LEARNT = 0.8


def stream(
    data: Annotated[
        Path,
        typer.Option(help="A folder of RetailRocket's events or sessions, or of Online Retail."),
    ],
    learnt: Annotated[
        float,
        typer.Option(
            min=0.05, max=0.95, help="Share of the events before the split, if none is published."
        ),
    ] = _LEARNT,
    seeds: Annotated[int, typer.Option(min=1, help="Runs, each from its own seed.")] = 1,
    plot: Annotated[Path | None, typer.Option(help="A folder for the plot over time.")] = None,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Recommend, score, then learn: what freshness is worth, beside six baselines."""
    from millstream.domain.models import Network
    from millstream.local.stream_recordings import stream_recording
    from millstream.trainer.settings import TrainerSettings
    from millstream.trainer.stream.evaluate import evaluate_stream
    from millstream.trainer.stream.prepared import OursRule
    from millstream.trainer.stream.trained import TasteRule
    from millstream.trainer.wiring import tensorflow

    fit = tensorflow(2)
    told = Console(stderr=True)
    settings = TrainerSettings()
    taste = TasteRule(
        settings.training(),
        settings.cleaning(),
        settings.measuring(),
        encoder=settings.training(Network.SESSIONS),
    )
    found = evaluate_stream(
        stream_recording(data, learnt),
        seeds,
        OursRule(taste),
        fit,
        lambda line: told.print(line, markup=False),
    )
    if plot is not None:
        told.print(f"{_drawn(found, plot, learnt)}", markup=False)
    if json:
        command = (
            f"evaluate stream --data {data.resolve().name} --learnt {learnt:g} --seeds {seeds}"
        )
        write_result(command, range(seeds), found)
        return
    Console().print(_table(found))
    Console().print(
        f"{found['questions']} questions, freshness {found['freshness_gain']:+.4f} "
        f"({found['freshest']})"
    )


def _drawn(found: dict[str, Any], folder: Path, learnt: float) -> Path:
    from millstream.trainer.stream.plot import draw

    part = "" if learnt == _LEARNT else f"-{100 * learnt:g}"
    path = folder / f"stream-{found['data']}{part}.png"
    draw(found, path)
    return path


def _table(found: dict[str, Any]) -> Table:
    table = Table("", "recall@20", "MRR@20")
    for row in found["rows"]:
        table.add_row(row["name"], *(f"{100 * row[k]:.2f}" for k in ("recall_at_20", "mrr_at_20")))
    for name, shares in found["components"].items():
        table.add_row(f"without {name}", f"{100 * shares['without']:.2f}", "")
    return table
