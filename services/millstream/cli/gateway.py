"""`millstream gateway`: the HTTP door, until SIGTERM."""

from __future__ import annotations

from millstream.cli.beginning import begin


def gateway() -> None:
    """Takes events and gives lists over HTTP, until SIGTERM."""
    from millstream.gateway.server import run
    from millstream.gateway.settings import GatewaySettings

    run(begin("gateway", GatewaySettings))
