"""`millstream models diff`: what changed from one version to another."""

from __future__ import annotations

import sys

import msgspec
import numpy as np
import typer
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from millstream.cli.model_store import loaded
from millstream.cli.variables import checked
from millstream.model.registry import LoadedModel
from millstream.model.signed_files import Identity
from millstream.model.vocabulary import Vocabulary
from millstream.settings import ConnectionSettings

_LIST = 20
_SHOPPERS = 1000


class Pair(Struct, frozen=True):
    first: str | float | int | bool | None
    second: str | float | int | bool | None


class Ids(Struct, frozen=True):
    kept: int
    joined: int
    left: int


class Difference(Struct, frozen=True):
    """`same_first_20`: of the model's first 20 items for shoppers whom both know (at most 1000 of
    them, without what they touched since), the share that is in both; None without such."""

    values: dict[str, Pair]
    users: Ids
    items: Ids
    same_first_20: float | None


def diff(
    first: int = typer.Argument(..., min=1),
    second: int = typer.Argument(..., min=1),
    model: str = typer.Option("embedding"),
    tenant: str = typer.Option("default"),
    json: bool = typer.Option(False, help="One JSON object."),
) -> None:
    """Two versions side by side: data, settings, figures, ids, and how alike their lists are."""
    settings = checked(ConnectionSettings)
    versions = [loaded(settings, Identity(tenant, model, number)) for number in (first, second)]
    found = difference(*versions)
    if json:
        sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
        return
    table = Table("", f"v{first}", f"v{second}")
    for name, pair in found.values.items():
        table.add_row(name, _shown(pair.first), _shown(pair.second))
    for name, ids in (("users", found.users), ("items", found.items)):
        table.add_row(name, f"-{ids.left:,}", f"+{ids.joined:,} ({ids.kept:,} in both)")
    if found.same_first_20 is not None:
        table.add_row("same first 20", "", f"{found.same_first_20:.1%}")
    Console().print(table)


def difference(first: LoadedModel, second: LoadedModel) -> Difference:
    """Values that are the same in both are left out, except figures."""
    before, after = _values(first), _values(second)
    names = dict.fromkeys([*before, *after])
    pairs = {name: Pair(before.get(name), after.get(name)) for name in names}
    return Difference(
        {n: p for n, p in pairs.items() if p.first != p.second or n.startswith("metric ")},
        _ids(first.scorer.users, second.scorer.users),
        _ids(first.scorer.items, second.scorer.items),
        _same_lists(first, second),
    )


def _values(model: LoadedModel) -> dict[str, str | float | int | bool]:
    manifest = model.manifest
    window, quality, origin = manifest.window, manifest.quality, manifest.provenance
    figures = {f"metric {name}": value for name, value in sorted(quality.metrics.items())}
    return {
        "created": f"{manifest.created_at:%Y-%m-%d %H:%M:%S}Z",
        "decision": str(quality.decision),
        "first log ms": window.first_log_ms,
        "last log ms": window.last_log_ms,
        "records": sum(window.offsets.values()),
        "lines": window.lines,
        "pairs": window.pairs,
        "code": origin.code_version,
        "settings": origin.settings_digest,
        "seed": origin.seed,
        "network": str(manifest.network),
        "recent half-life": manifest.rule.recent_half_life,
        "recent share": manifest.rule.recent_share,
        "weight in a list": "learnt blend" if manifest.rule.blend else manifest.rule.weight,
        **figures,
    }


def _ids(first: Vocabulary, second: Vocabulary) -> Ids:
    before, after = set(first.ids), set(second.ids)
    return Ids(len(before & after), len(after - before), len(before - after))


def _same_lists(first: LoadedModel, second: LoadedModel) -> float | None:
    known = [user for user in second.scorer.users.ids if user in first.scorer.users][:_SHOPPERS]
    if not known:
        return None
    lists = []
    for scorer in (first.scorer, second.scorer):
        rows, _ = scorer.nearest(scorer.user_vectors([(user, ()) for user in known])[0], _LIST)
        lists.append([{scorer.items[row] for row in line} for line in rows.tolist()])
    shares = [len(a & b) / max(1, len(b)) for a, b in zip(*lists, strict=True)]
    return float(np.mean(shares))


def _shown(value: str | float | int | bool | None) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
