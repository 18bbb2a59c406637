"""`millstream models card`: what a version is, on one page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from millstream.cli.model_store import shown_any
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.model.card import card_of
from millstream.model.card_page import card_page
from millstream.model.sentiment.card import review_card_of
from millstream.model.sentiment.card_page import review_card_page
from millstream.model.sentiment.manifest import AnyManifest, ReviewManifest
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
    """Data, measures with intervals, segments, exposure and lineage of a version, of the model of
    reviews too (--model sentiment), from the signed manifest."""
    settings = checked(ConnectionSettings)
    told = _told(shown_any(settings, Identity(tenant, model, version)))
    if json:
        sys.stdout.write(told.json.decode() + "\n")
        return
    path = out or Path(card_name(model, version))
    try:
        path.write_text(told.page)
    except OSError as error:
        raise OperatorError(
            "the card's page", f"{path}: {error.strerror}", "a file we can write"
        ) from None
    typer.echo(f"{path.resolve()}")


class _Told(NamedTuple):
    json: bytes
    page: str


def _told(manifest: AnyManifest) -> _Told:
    if isinstance(manifest, ReviewManifest):
        reviews = review_card_of(manifest)
        return _Told(msgspec.json.encode(reviews), review_card_page(reviews))
    card = card_of(manifest)
    return _Told(msgspec.json.encode(card), card_page(card))


def card_name(model: str, version: int) -> str:
    return f"{model}-v{version}.html"
