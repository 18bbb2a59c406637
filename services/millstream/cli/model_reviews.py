"""`millstream models train-reviews`: labelled reviews to a review model that may judge."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.model_moves import surroundings
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.domain.events import Tenant
from millstream.domain.models import ModelAnnouncement
from millstream.model.judgement import Judgement
from millstream.model.registry import Registry
from millstream.model.sentiment.manifest import MODEL, ReviewKind, ReviewManifest
from millstream.model.signing import load_private_key
from millstream.trainer.settings import TrainerSettings

if TYPE_CHECKING:
    from millstream.trainer.sentiment.data import Reviews

Trained = tuple[ReviewManifest, ModelAnnouncement]


def train_reviews(
    data: Annotated[Path, typer.Option(help="A folder with blitzer.jsonl.gz.")],
    kind: Annotated[ReviewKind, typer.Option(help="The document's LSTM takes minutes.")] = (
        ReviewKind.LINEAR
    ),
    tenant: str = typer.Option("default"),
    json: bool = typer.Option(False, help="One JSON object."),
) -> None:
    """Trains a review model, measures it on reviews that were held out beside the version in
    service, registers it, and lets it serve if it may. Of a version that was refused or held the
    exit code is 0 as well."""
    from millstream.trainer.sentiment.data import read_reviews
    from millstream.trainer.sentiment.pipeline import require_enough

    settings, told = checked(TrainerSettings), Console(stderr=True)
    try:
        msgspec.convert(tenant, Tenant)
    except msgspec.ValidationError:
        raise OperatorError("option --tenant", repr(tenant), "a tenant's name") from None
    reviews = read_reviews(data)
    require_enough(reviews)
    told.print(f"{len(reviews)} reviews, {len(set(reviews.domains))} domains", markup=False)
    settings = settings.model_copy(update={"tenant": tenant, "review_kind": kind})
    manifest, announced = asyncio.run(_train(settings, reviews, told))
    if json:
        sys.stdout.write(msgspec.json.encode(_as_json(manifest, announced)).decode() + "\n")
        return
    Console().print(_table(manifest))
    typer.echo(f"v{manifest.version} of {tenant}/{MODEL}: {announced.verdict}")


async def _train(settings: TrainerSettings, reviews: Reviews, told: Console) -> Trained:
    """What answers slowly or not at all is asked before minutes are spent on a fit."""
    from millstream.streaming.offload import offload
    from millstream.streaming.topics import MODELS
    from millstream.trainer.outlet import Outlet
    from millstream.trainer.sentiment.pipeline import Collected, train_review_version
    from millstream.trainer.sentiment.wiring import review_tools

    name, registry = (settings.tenant, MODEL), Registry(settings.model_store)
    registry.remove_partial(*name)
    async with surroundings(settings) as (pointer, producer):
        outlet = Outlet(
            name=name,
            registry=registry,
            key=load_private_key(settings.keys_dir),
            pointer=pointer,
            producer=producer,
            topic=settings.topic(MODELS),
            keep=settings.keep_versions,
        )
        say = partial(told.print, markup=False)
        tools = await offload(partial(review_tools, settings, outlet, say))
        return await train_review_version(Collected(reviews), tools)


def _as_json(manifest: ReviewManifest, announced: ModelAnnouncement) -> dict[str, object]:
    return {
        "model": f"{manifest.tenant}/{manifest.model}",
        "version": manifest.version,
        "kind": manifest.kind,
        "decision": announced.decision,
        "verdict": announced.verdict,
        "metrics": manifest.quality.metrics,
        "reviews": manifest.reviews,
        "judgement": manifest.quality.judgement,
    }


def _table(manifest: ReviewManifest) -> Table:
    judgement = manifest.quality.judgement or Judgement(manifest.quality.decision, "none", ())
    table = Table("held-out reviews", "", "this version", "reference", "difference", "outcome")
    for check in judgement.checks:
        table.add_row(
            f"{check.metric}, {check.segment}",
            f"{check.shoppers:,}",
            f"{check.ours:.4f}",
            f"{check.reference:.4f}",
            f"{check.low:+.4f} to {check.high:+.4f}",
            check.outcome,
        )
    for bound in judgement.bounds:
        kept = "kept" if bound.kept else "broken"
        limit = f"at most {bound.limit:.4f}"
        table.add_row(bound.name, "", f"{bound.ours:.4f}", f"{bound.reference:.4f}", limit, kept)
    return table
