"""`millstream keys api`: who may use the gateway, for which tenant and what."""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from millstream.cli.variables import checked
from millstream.domain.clock import wall_clock
from millstream.domain.errors import OperatorError
from millstream.domain.events import Tenant
from millstream.gateway.api_keys import Scope, read_keys
from millstream.gateway.api_keys import create as make
from millstream.gateway.api_keys import revoke as take_back
from millstream.gateway.settings import GatewaySettings

app = typer.Typer(no_args_is_help=True, help="The keys that the gateway asks for.")

Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command()
def create(
    scope: Annotated[list[Scope], typer.Option(help="May be given again.")],
    tenant: str = typer.Option("default"),
    note: Annotated[str, typer.Option(help="Whose it is, for `list`; 128 characters.")] = "",
    json: Json = False,
) -> None:
    """Makes a key and prints it, this once: the file holds its digest alone. Gateways that run
    take it within seconds. A tenant without a pseudonym key gets its first one."""
    settings = checked(GatewaySettings)
    try:
        msgspec.convert(tenant, Tenant)
    except msgspec.ValidationError:
        raise OperatorError("option --tenant", repr(tenant), "a tenant's name") from None
    if len(note) > 128:
        raise OperatorError("option --note", f"{len(note)} characters", "128 at most")
    if settings.gateway_pseudonyms:
        _have_pseudonyms(settings, tenant)
    scopes = tuple(dict.fromkeys(scope))
    made, token = make(settings.gateway_api_keys, tenant, scopes, note, wall_clock)
    if json:
        told = {"key_id": made.key_id, "key": token, "tenant": tenant, "scopes": scopes}
        sys.stdout.write(msgspec.json.encode(told).decode() + "\n")
    else:
        typer.echo(token)


@app.command("list")
def list_keys(json: Json = False) -> None:
    """Every key that was made: neither it nor its digest."""
    keys = read_keys(checked(GatewaySettings).gateway_api_keys)
    if json:
        told = [msgspec.to_builtins(key) for key in keys]
        for key in told:
            del key["sha256"]
        sys.stdout.write(msgspec.json.encode({"keys": told}).decode() + "\n")
        return
    table = Table("id", "tenant", "scopes", "made", "revoked", "note")
    for key in keys:
        revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M:%S}Z"
        made = f"{key.created_at:%Y-%m-%d %H:%M:%S}Z"
        table.add_row(key.key_id, key.tenant, " ".join(key.scopes), made, revoked, key.note)
    Console().print(table)


@app.command()
def revoke(key_id: str = typer.Argument(..., help="As `list` says it.")) -> None:
    """Gateways that run refuse the key within seconds."""
    key = take_back(checked(GatewaySettings).gateway_api_keys, key_id, wall_clock)
    typer.echo(f"Key {key.key_id} of tenant {key.tenant} is revoked.")


def _have_pseudonyms(settings: GatewaySettings, tenant: str) -> None:
    from millstream.privacy.key_files import every_version, rotate

    directory = settings.pseudonym_keys_dir
    if not list((directory / tenant).glob("*.key")):
        rotate(directory, tenant)
        typer.echo(f"The first pseudonym key of tenant {tenant} is in {directory}.", err=True)
    every_version(directory, tenant)  # raises where it can't be read
