"""`millstream evaluate new-items`: lists with items that nobody has touched."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result


def new_items(
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each network.")] = 1,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Recall on items of Online Retail that were kept from the training, with and without text."""
    from millstream.local.gate_trials import online_retail_world
    from millstream.local.new_items_trial import evaluate_new_items, text_readers
    from millstream.trainer.settings import TrainerSettings
    from millstream.trainer.wiring import tensorflow

    settings, console = TrainerSettings.model_construct(), Console(stderr=True)

    def tell(line: str) -> None:
        console.print(line, markup=False)

    world, fit = online_retail_world(settings), tensorflow(settings.threads)
    found = evaluate_new_items(world, fit, text_readers(tell), seeds, tell)
    if json:
        write_result(f"evaluate new-items --seeds {seeds}", range(1, seeds + 1), found)
        return
    table = Table("", "recall@20, whole catalogue", "recall@20 among the new")
    for row in found["rows"]:
        figures = (row["recall_at_20"], row["among_new"])
        table.add_row(row["name"], *("" if value is None else str(value) for value in figures))
    Console().print(table)
    said = f"{found['new_items']} of {found['items']} items were new to {found['visits']} visits"
    Console().print(said)
