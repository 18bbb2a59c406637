"""`millstream models card`: what a version is, on one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from millstream.cli.model_store import shown
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.model.card import card_of
from millstream.model.card_page import card_page
from millstream.model.signed_files import Identity
from millstream.settings import ConnectionSettings


def print_card(
    version: int = typer.Argument(..., min=1),
    model: str = typer.Option("embedding"),
    tenant: str = typer.Option("default"),
    out: Annotated[
        Path | None, typer.Option(help="The page to write; else <model>-v<version>.html here.")
    ] = None,
    json: bool = typer.Option(False, help="One JSON object instead of the page."),
) -> None:
    """Data, measures with intervals, segments, exposure and lineage, from the signed manifest."""
    settings = checked(ConnectionSettings)
    card = card_of(shown(settings, Identity(tenant, model, version)))
    if json:
        sys.stdout.write(msgspec.json.encode(card).decode() + "\n")
        return
    path = out or Path(card_name(model, version))
    try:
        path.write_text(card_page(card))
    except OSError as error:
        raise OperatorError(
            "the card's page", f"{path}: {error.strerror}", "a file we can write"
        ) from None
    typer.echo(f"{path.resolve()}")


def card_name(model: str, version: int) -> str:
    return f"{model}-v{version}.html"
