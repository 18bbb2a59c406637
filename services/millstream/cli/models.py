"""`millstream models`: the versions in the model store, and what they say of themselves."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millstream.cli import model_card, model_diff, model_moves, model_request, model_reviews
from millstream.cli.model_store import shown_any
from millstream.cli.variables import checked
from millstream.model.manifest import ArtifactRefused, ManifestHead
from millstream.model.registry import Registry
from millstream.model.signed_files import Identity
from millstream.model.signing import load_public_key
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected

app = typer.Typer(no_args_is_help=True, help="The versions in the model store.")
app.command("card")(model_card.print_card)
app.command()(model_moves.promote)
app.command()(model_moves.rollback)
app.command()(model_diff.diff)
app.command()(model_request.train)
app.command()(model_reviews.train_reviews)

_DEFAULT = ("default", "embedding")


@dataclass(frozen=True)
class Row:
    """`refused`: why the version can't be used; None for a good one."""

    tenant: str
    model: str
    version: int
    current: bool
    passed: bool | None
    verdict: str
    created_at: str
    refused: str | None


@app.command("list")
def list_versions(json: bool = typer.Option(False, help="One JSON object.")) -> None:
    """Every version, whether it verifies, and which one is current."""
    rows = asyncio.run(_rows(checked(ConnectionSettings)))
    if json:
        sys.stdout.write(msgspec.json.encode({"models": rows}).decode() + "\n")
        return
    table = Table("tenant", "model", "version", "current", "verdict", "created")
    for row in rows:
        verdict = row.refused or row.verdict.split(";")[0]
        mark = "*" if row.current else ""
        table.add_row(row.tenant, row.model, f"v{row.version}", mark, verdict, row.created_at)
    Console().print(table)


@app.command()
def show(
    version: int = typer.Argument(..., min=1),
    model: str = typer.Option("embedding"),
    tenant: str = typer.Option("default"),
    json: bool = typer.Option(False, help="The manifest as one JSON line."),
) -> None:
    """The signed manifest of one version."""
    settings = checked(ConnectionSettings)
    manifest = shown_any(settings, Identity(tenant, model, version))
    raw = msgspec.json.encode(manifest)
    sys.stdout.write((raw if json else msgspec.json.format(raw, indent=2)).decode() + "\n")
    told = "" if model == _DEFAULT[1] else f" --model {model}"
    told += "" if tenant == _DEFAULT[0] else f" --tenant {tenant}"
    typer.echo(f"Model card: millstream models card {version}{told}", err=True)


async def _rows(settings: ConnectionSettings) -> list[Row]:
    registry, key = Registry(settings.model_store), load_public_key(settings.keys_dir)
    redis = await connected(settings.redis_url)
    pointer = RedisModelPointer(redis, Keys(settings.redis_prefix))
    rows = []
    try:
        for tenant, model in registry.models():
            current = await pointer.read(tenant, model)
            for version in registry.versions(tenant, model):
                wanted = Identity(tenant, model, version)
                is_current = current is not None and current[0] == version
                try:
                    rows.append(_row(registry.show(key, wanted), is_current))
                except ArtifactRefused as refused:
                    rows.append(_refused_row(wanted, is_current, refused.reason))
    finally:
        await redis.aclose()
    return rows


def _row(manifest: ManifestHead, current: bool) -> Row:
    quality = manifest.quality
    return Row(
        manifest.tenant,
        manifest.model,
        manifest.version,
        current,
        quality.passed,
        quality.verdict,
        f"{manifest.created_at:%Y-%m-%d %H:%M:%S}Z",
        None,
    )


def _refused_row(wanted: Identity, current: bool, reason: str) -> Row:
    return Row(wanted.tenant, wanted.model, wanted.version, current, None, "", "", reason)
