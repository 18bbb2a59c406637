"""`millstream gateway`: the HTTP door, until SIGTERM."""

from __future__ import annotations

from millstream.cli import logs
from millstream.cli.variables import checked


def gateway() -> None:
    """Takes events and gives lists over HTTP, until SIGTERM."""
    from millstream.gateway.server import run
    from millstream.gateway.settings import GatewaySettings

    logs.configure()
    run(checked(GatewaySettings))
