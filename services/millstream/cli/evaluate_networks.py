"""`millstream evaluate networks`: the two networks by themselves and in a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millstream import logs
from millstream.cli.result import write_result

_FIGURES = ("model_recall_at_20", "model_mrr_at_20", "list_recall_at_20", "list_mrr_at_20")


def networks(
    data: Annotated[
        Path | None,
        typer.Option(help="A folder of RetailRocket's events; else Online Retail, as shipped."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each network.")] = 1,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Recall and MRR of each network alone, and of whole lists by what it is worth in them."""
    from millstream.local.networks_trial import evaluate_networks, world_of
    from millstream.trainer.settings import TrainerSettings
    from millstream.trainer.wiring import tensorflow

    logs.configure()  # to standard error: the last line of the other is the object
    settings, told = TrainerSettings.model_construct(), Console(stderr=True)
    world = world_of(data, settings)
    found = evaluate_networks(
        world, tensorflow(settings.threads), seeds, lambda line: told.print(line, markup=False)
    )
    if json:
        given = "" if data is None else f" --data {data.name}"
        write_result(f"evaluate networks{given} --seeds {seeds}", range(1, seeds + 1), found)
        return
    table = Table("", "weight", "model: recall@20", "MRR@20", "whole list: recall@20", "MRR@20")
    for row in found["rows"]:
        table.add_row(row["name"], str(row["weight"]), *(str(row[key]) for key in _FIGURES))
    Console().print(table)
