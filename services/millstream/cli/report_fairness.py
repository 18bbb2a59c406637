"""`millstream report fairness`: who is served how well, and which items are shown how much."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.model_store import shown
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.model.fairness import Fairness
from millstream.model.signed_files import Identity
from millstream.settings import ConnectionSettings
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.stores.redis import connected

app = typer.Typer(no_args_is_help=True, help="What was measured, for people to judge.")


@app.callback()
def reports() -> None:
    """A group, also while it has one command."""


@app.command()
def fairness(
    version: int | None = typer.Option(None, min=1, help="Instead of the one in service."),
    model: str = typer.Option("embedding"),
    tenant: str = typer.Option("default"),
    json: bool = typer.Option(False, help="One JSON object."),
) -> None:
    """Of the version in service, at the exam before its promotion: the whole lists' quality by
    group of shoppers, and each group of items' exposure beside its relevance."""
    settings = checked(ConnectionSettings)
    number = version or asyncio.run(_current(settings, tenant, model))
    found = shown(settings, Identity(tenant, model, number)).quality.fairness
    if found is None:
        raise OperatorError(
            f"version {number} of {tenant}/{model}",
            "one from before fairness was measured",
            "a newer one",
            "`millstream models train` asks for it",
        )
    if json:
        told = {"version": number, **msgspec.to_builtins(found)}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
        return
    _print(found, number)


def _print(found: Fairness, number: int) -> None:
    console = Console()
    shoppers = Table("shoppers", "number", "recall@20", "MRR@20", title=f"Lists of v{number}")
    for group in found.shoppers:
        shoppers.add_row(
            group.name,
            f"{group.shoppers:,}",
            f"{group.recall:.4f} ({group.recall_low:.4f} to {group.recall_high:.4f})",
            f"{group.mrr:.4f} ({group.mrr_low:.4f} to {group.mrr_high:.4f})",
        )
    console.print(shoppers)
    items = Table("items", "", "number", "exposure", "relevance", "shown per wanted")
    for row in found.items:
        ratio = f"{row.exposure / row.relevance:.2f}" if row.relevance else "-"
        shares = f"{row.exposure:.1%}", f"{row.relevance:.1%}"
        items.add_row(row.kind, row.name, f"{row.items:,}", *shares, ratio)
    console.print(items)
    title = "What a bound on the places of best sellers costs (`popular_places` of the ranking)"
    bounds = Table("places at most", "recall@20", "difference", "long tail's places", title=title)
    for cost in found.bounds:
        span = f"{cost.low:+.4f} to {cost.high:+.4f}"
        bounds.add_row(
            str(cost.popular_places), f"{cost.recall:.4f}", span, f"{cost.tail_share:.1%}"
        )
    console.print(bounds)


async def _current(settings: ConnectionSettings, tenant: str, model: str) -> int:
    redis = await connected(settings.redis_url)
    try:
        current = await RedisModelPointer(redis, Keys(settings.redis_prefix)).read(tenant, model)
    finally:
        await redis.aclose()
    if current is None:
        raise OperatorError(f"model {tenant}/{model}", "none in service", "one, or --version")
    return current[0]
