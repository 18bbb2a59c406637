"""`millstream bench fuzz`: the decoders under a million inputs that nobody meant."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.bench import ROOT, benchmark

CRASHED = 3


def fuzz(
    inputs: Annotated[int, typer.Option(min=1_000, help="Of all three engines.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=1, help="The same inputs for the same seed.")] = 1,
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """Any bytes become an event, a review or a dead letter; exits with 3 where they do not."""
    result = benchmark("fuzz", ROOT).main(inputs, seed, Console(stderr=True))
    if json:
        sys.stdout.write(json_format.dumps(result) + "\n")
    else:
        table = Table("what", "inputs")
        for name in ("inputs", "accepted", "reviews_accepted", "crashes"):
            table.add_row(name, f"{result[name]:,}")
        for reason, n in result["refusals_by_reason"].items():
            table.add_row(f"refused: {reason}", f"{n:,}")
        Console().print(table)
    raise SystemExit(CRASHED if result["crashes"] else 0)
