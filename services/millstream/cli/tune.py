"""`millstream tune`: the session encoder's settings, searched on held-out sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result


def tune(
    data: Annotated[
        Path, typer.Option(help="A folder with train_sessions.txt.gz, as of `evaluate sessions`.")
    ],
    journal: Annotated[
        Path,
        typer.Option(help="A file that keeps the trials; those that it has are not run again."),
    ] = Path("tune.journal"),
    trials: Annotated[int, typer.Option(min=5, help="In all, those of earlier calls too.")] = 30,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of the best at the end.")] = 3,
    newest: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the sessions that trials are on.")
    ] = 0.3,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Searches the session encoder's settings, augmentation among them; never reads the test."""
    from millstream.trainer.sessions.tune import TuneRule
    from millstream.trainer.sessions.tune import tune as search
    from millstream.trainer.train import limit_threads

    limit_threads(2)
    told = Console(stderr=True)
    found = search(
        data,
        journal,
        trials,
        seeds,
        TuneRule(newest=newest),
        lambda line: told.print(line, markup=False),
    )
    if json:
        how = f"--newest {newest:g} --trials {trials} --seeds {seeds}"
        write_result(f"tune --data {data.resolve().name} {how}", range(1, seeds + 1), found)
        return
    Console().print(_table(found))
    for name, share in found["importance"].items():
        Console().print(f"{share:7.3f} of what came of it by {name}")


def _table(found: dict[str, Any]) -> Table:
    table = Table("settings", "HR@20", "MRR@20", "spread", "what differs")
    first = found["rows"][0]["settings"]
    for row in found["rows"]:
        other = {k: v for k, v in row["settings"].items() if v != first[k]}
        differs = ", ".join(f"{name} {value:g}" for name, value in other.items())
        figures = (f"{row[key]:.4f}" for key in ("hr_at_20", "mrr_at_20"))
        spread = "-" if row["spread_of_worth"] is None else f"{row['spread_of_worth']:.4f}"
        table.add_row(row["name"], *figures, spread, differs)
    return table
