"""`millstream evaluate questions`: answers and refusals on a golden set."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.result import write_result


def questions(
    json: Annotated[bool, typer.Option(help="End with one JSON object.")] = False,
) -> None:
    """200 questions to a small shop; the figures are of the half that no rule was tuned on."""
    from millstream.search.meaning import meaning
    from millstream.search.questions.evaluate import evaluate_questions

    found = evaluate_questions(meaning())
    if json:
        write_result("evaluate questions", (), found)
        return
    table = Table("", "asked", "right, %", "refused rightly", "refused wrongly", "wrong")
    for name, part in {"held out": found, "tuned on": found["tuned"]}.items():
        refused = (f"{n} of {of}" for n, of in (part["refused_rightly"], part["refused_wrongly"]))
        share = f"{100 * part['accuracy']:.1f}"
        table.add_row(name, str(part["asked"]), share, *refused, str(part["wrong"]))
    Console().print(table)
