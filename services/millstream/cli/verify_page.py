"""`millstream verify page`: the live page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from millstream.cli.result import Asked


def page(
    pictures: Annotated[Path, typer.Option(help="Where to put pictures of every panel.")] = Path(
        "run/page"
    ),
    json: bool = typer.Option(False, help="End with one JSON object."),
) -> None:
    """Shops, watches, moves models, and looks at every panel, wide, on a phone and in dark."""
    from millstream.cli.playing import report
    from millstream.local.page_trial import PageTrial, try_page

    pictures.mkdir(parents=True, exist_ok=True)
    folder = pictures.resolve()
    asked = Asked("verify page")
    report(lambda console: try_page(console, folder), json, PageTrial.failures, asked)
