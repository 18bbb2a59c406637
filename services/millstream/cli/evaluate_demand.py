"""`millstream evaluate demand`: units a week of each item, told four weeks ahead."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result


def demand(
    data: Annotated[Path, typer.Option(help="A folder with online_retail.csv.gz.")],
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Weekly demand of Online Retail's items from ten origins, beside naive forecasts."""
    from millstream.insights.demand.evaluate import evaluate_demand
    from millstream.local.online_retail import accepted_lines

    told = Console(stderr=True)
    lines = accepted_lines(data / "online_retail.csv.gz")
    found = evaluate_demand(lines, lambda line: told.print(line, markup=False))
    if json:
        write_result(f"evaluate demand --data {data.resolve().name}", (), found)
        return
    Console().print(_table(found))
    Console().print(f"{found['series']} items, MASE {found['mase']}")


def _table(found: dict[str, Any]) -> Table:
    table = Table("after week", "WAPE, %", "naive, %", "inside 80 %, %")
    for row in (*found["origins"], {"after_weeks": "all", **found}):
        shares = (f"{100 * row[key]:.1f}" for key in ("wape", "naive_wape", "coverage_80"))
        table.add_row(str(row["after_weeks"]), *shares)
    return table
