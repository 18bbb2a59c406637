"""`millstream evaluate variety`: unlike items, and a place for what little is known of."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result

_FIGURES = ("recall_at_20", "mrr_at_20", "coverage", "tail_share", "novelty_bits", "likeness")


def variety(json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False) -> None:
    """Recall, coverage and novelty of whole lists on Online Retail, with each on and off."""
    from millstream.local.gate_trials import online_retail_world
    from millstream.local.variety_trial import evaluate_variety
    from millstream.trainer.settings import TrainerSettings
    from millstream.trainer.train import fit_network, limit_threads

    settings = TrainerSettings.model_construct()
    limit_threads(settings.threads)
    told = Console(stderr=True)
    found = evaluate_variety(
        online_retail_world(settings), fit_network, lambda line: told.print(line, markup=False)
    )
    if json:
        write_result("evaluate variety", [settings.seed], found)
        return
    table = Table("", "recall@20", "MRR@20", "coverage", "long tail", "novelty, bits", "likeness")
    for row in found["rows"]:
        table.add_row(row["name"], *(str(row[key]) for key in _FIGURES))
    Console().print(table)
    Console().print(f"{found['queries']} visits, {found['items']} items")
