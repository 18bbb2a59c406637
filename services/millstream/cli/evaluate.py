"""`millstream evaluate NAME`: quality on recorded data that others have published figures for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result

app = typer.Typer(no_args_is_help=True, help="Quality on recorded data.")

_BASELINE_BATCH = 16_384
_FIGURES = ("hr_at_10", "mrr_at_10", "hr_at_20", "mrr_at_20")


@app.callback()
def group() -> None:
    """Quality on recorded data."""


@app.command()
def sessions(
    data: Annotated[
        Path,
        typer.Option(help="A folder with train_sessions.txt.gz and test_prefix_target.tsv.gz."),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings, each from its own seed.")] = 3,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="A folder that keeps each seed's run; those that it has are not run again."
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="A folder for the learning curve.")] = None,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """The next item of a session, over the whole catalogue: the blend and each of its parts."""
    from msgspec.structs import replace

    from millstream.trainer.sessions.evaluate import Rules, evaluate_sessions
    from millstream.trainer.sessions.fit import FitRule
    from millstream.trainer.settings import TrainerSettings
    from millstream.trainer.train import limit_threads

    limit_threads(2)
    told = Console(stderr=True)
    # A session is a user here: batches of production's size would move that many vectors for hours.
    baseline = replace(TrainerSettings().training(), batch_size=_BASELINE_BATCH)
    rules = Rules(baseline, FitRule())
    found = evaluate_sessions(
        data, seeds, rules, lambda line: told.print(line, markup=False), journal
    )
    if plot is not None:
        from millstream.trainer.sessions.plot import draw

        told.print(f"{draw(found, data.resolve().name, plot)}", markup=False)
    if json:
        command = f"evaluate sessions --data {data.resolve().name} --seeds {seeds}"
        write_result(command, range(seeds), found)
        return
    Console().print(_table(found))
    Console().print(
        f"{found['test_rows']} rows, {len(found['seeds'])} seeds, "
        f"{found['train_cpu_minutes']} CPU minutes each, {found['peak_gib']} GiB"
    )


def _table(found: dict[str, Any]) -> Table:
    table = Table("part", "HR@10", "MRR@10", "HR@20", "MRR@20")
    for name, figures in {"blend": found, **found["parts"]}.items():
        table.add_row(name, *(f"{100 * figures[key]:.2f}" for key in _FIGURES))
    return table
