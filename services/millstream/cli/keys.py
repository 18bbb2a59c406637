"""`millstream keys`: the secrets by which persons are named, and the gateway's API keys."""

from __future__ import annotations

import msgspec
import typer

from millstream.cli import api_keys
from millstream.cli.variables import checked
from millstream.domain.errors import OperatorError
from millstream.domain.events import Tenant
from millstream.privacy.settings import PrivacySettings

app = typer.Typer(no_args_is_help=True, help="Keys of pseudonyms, reverse table and gateway.")
pseudonyms = typer.Typer(no_args_is_help=True, help="A tenant's pseudonym keys.")
app.add_typer(pseudonyms, name="pseudonyms")
app.add_typer(api_keys.app, name="api")


@pseudonyms.command()
def rotate(tenant: str = typer.Option("default")) -> None:
    """Makes the tenant's next key, or the first. Every shopper is a new one from then on."""
    from millstream.privacy.key_files import rotate as make_next

    try:
        msgspec.convert(tenant, Tenant)
    except msgspec.ValidationError:
        raise OperatorError("option --tenant", repr(tenant), "a tenant's name") from None
    directory = checked(PrivacySettings).pseudonym_keys_dir
    number = make_next(directory, tenant)
    typer.echo(f"Key {number} of tenant {tenant} is in {directory}; clients use it once restarted.")


@app.command()
def reverse() -> None:
    """Makes the master key of the reverse table, once."""
    from millstream.privacy.reverse_table import create_master_key

    path = checked(PrivacySettings).reverse_master_key
    if path is None:
        raise OperatorError(
            "setting MILLSTREAM_REVERSE_MASTER_KEY", "nothing", "the file that the key goes to"
        )
    try:
        create_master_key(path)
    except FileExistsError:
        raise OperatorError(
            "the master key", f"{path}, which stands there already", "a file that is not there yet"
        ) from None
    typer.echo(f"The master key is in {path}.")
