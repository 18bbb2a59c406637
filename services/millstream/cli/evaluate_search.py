"""`millstream evaluate search`: free text to the item that was meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result

_SEED = 7


def search(
    data: Annotated[Path, typer.Option(help="A folder with online_retail.csv or .csv.gz.")],
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Known-item queries, words dropped, reordered and misspelt: found in the first ten?"""
    from millstream.local.online_retail import goods
    from millstream.local.stream_recordings import retail_invoices
    from millstream.search.quality.evaluate import evaluate_search

    _on_one_core()
    told = Console(stderr=True)
    items = goods(retail_invoices(data))
    found = evaluate_search(items, _SEED, lambda line: told.print(line, markup=False))
    found["load_average"] = round(os.getloadavg()[0], 2)
    if json:
        write_result(f"evaluate search --data {data.resolve().name}", [_SEED], found)
        return
    Console().print(_table(found))
    Console().print(
        f"{found['queries']} queries over {found['items']} items: recall@10 "
        f"{found['recall_at_10']}, p99 {found['p99_ms']} ms"
    )


def _on_one_core() -> None:
    """Where the system can hold a process to it."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def _table(found: dict[str, Any]) -> Table:
    rules = list(found["by_rule"])
    table = Table("recall@10, %", *rules)
    rows = {"ours": found["by_rule"]}
    rows |= {f"without {name}": shares for name, shares in found["without"].items()}
    for name, shares in rows.items():
        table.add_row(name, *(f"{100 * shares[rule]:.1f}" for rule in rules))
    return table
