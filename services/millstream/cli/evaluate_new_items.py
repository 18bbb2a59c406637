"""`millstream evaluate new-items`: lists with items that nobody has touched."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result


def new_items(
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Recall on items of Online Retail that were kept from the training, with and without text."""
    from millstream.local.gate_trials import online_retail_world
    from millstream.local.new_items_trial import evaluate_new_items
    from millstream.trainer.settings import TrainerSettings
    from millstream.trainer.wiring import tensorflow

    settings = TrainerSettings.model_construct()
    told = Console(stderr=True)
    found = evaluate_new_items(
        online_retail_world(settings),
        tensorflow(settings.threads),
        lambda line: told.print(line, markup=False),
    )
    if json:
        write_result("evaluate new-items", [settings.seed], found)
        return
    table = Table("", "recall@20, whole catalogue", "recall@20 among the new")
    for row in found["rows"]:
        figures = (row["recall_at_20"], row["among_new"])
        table.add_row(row["name"], *("" if value is None else str(value) for value in figures))
    Console().print(table)
    said = f"{found['new_items']} of {found['items']} items were new to {found['visits']} visits"
    Console().print(said)
