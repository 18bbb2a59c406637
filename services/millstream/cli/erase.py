"""`millstream erase`: a shopper is forgotten, and each place says what is left."""

from __future__ import annotations

import asyncio
import sys

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millstream import logs
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.domain.events import MAX_ID_CHARS, Tenant, is_clean_id
from millstream.privacy.settings import PrivacySettings

STILL_THERE = 1


def erase(
    user: str = typer.Argument(..., help="The raw id; `~` before an anonymous one."),
    tenant: str = typer.Option("default"),
    pseudonym: bool = typer.Option(False, help="USER is the id as it stands in the log."),
    lake: bool = typer.Option(True, help="With --no-lake the lake's files are not asked."),
    lake_timeout: float = typer.Option(60.0, min=1, help="Seconds the lake's service may take."),
    json: bool = typer.Option(False, help="The proof as one JSON object."),
) -> None:
    """Forgets a shopper under every key, and proves it place by place. Exit code 1 where something
    is left, or can't be seen from here; what was asked for happens all the same."""
    from millstream.privacy.wiring import run_erase, shoppers_of

    logs.configure()
    settings = checked(PrivacySettings)
    _check_tenant(tenant)
    _check_user(user)
    shoppers = [(tenant, user)] if pseudonym else shoppers_of(settings, tenant, user)
    proofs = asyncio.run(run_erase(settings, shoppers, lake_timeout if lake else None))
    gone = all(proof.is_gone for proof in proofs.values())
    if json:
        told = {"gone": gone, "key_versions": len(shoppers), "proof": proofs}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        table = Table("place", "before", "after", "s", "what", "how checked")
        for name, proof in proofs.items():
            counts = (_shown(proof.found_before), _shown(proof.found_after))
            table.add_row(name, *counts, f"{proof.after_s:.1f}", proof.what, proof.how_checked)
        Console().print(table)
        Console().print("Until retention, the topics hold what docs/privacy.md says.")
    raise typer.Exit(0 if gone else STILL_THERE)


def _shown(count: int | None) -> str:
    return "not known" if count is None else str(count)


def _check_user(user: str) -> None:
    """An id that no event can carry would be asked for in vain, and stand on the topic for ever."""
    if not 0 < len(user) <= MAX_ID_CHARS or not is_clean_id(user):
        raise OperatorError(
            "user",
            "an id that no event can carry",
            f"1 to {MAX_ID_CHARS} characters, none of them a control character or a brace",
        )


def _check_tenant(tenant: str) -> None:
    try:
        msgspec.convert(tenant, Tenant)
    except msgspec.ValidationError:
        raise OperatorError(
            "option --tenant", repr(tenant), "a tenant's name: a-z, 0-9 and -, 32 at most"
        ) from None
