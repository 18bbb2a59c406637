"""How each service begins: logs, settings, the port on which it tells how it is, its rights."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from threading import Thread

from millstream import logs
from millstream.cli.variables import checked
from millstream.insights.settings import InsightsSettings
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import ConnectionSettings, S

OPERATOR = "operator"


def begin(service: str, kind: type[S], level: str = "INFO") -> S:
    """Its settings. Raises OperatorError for a wrong one, where nothing can listen at the port for
    metrics, and where the cluster does not let it in or gives it too few rights."""
    logs.configure(level)
    settings = checked(kind)
    if settings.metrics_port is not None:
        _tell(service, settings, settings.metrics_port)
    if settings.tracing:
        _trace(service)
    if settings.brokers.knows_us:
        _require_rights(OPERATOR if service == "rebuild" else service, settings)
    return settings


def _tell(service: str, settings: ConnectionSettings, port: int) -> None:
    from millstream.cli.status_server import status_server
    from millstream.streaming.telemetry import SERVICE

    server = status_server(settings.metrics_host, port)
    SERVICE.labels(service, version("millstream")).set(1)
    Thread(target=server.serve_forever, name="status", daemon=True).start()


def _trace(service: str) -> None:
    from millstream.streaming.tracing import switch_on

    switch_on(service, version("millstream"))


def _require_rights(name: str, settings: ConnectionSettings) -> None:
    from millstream.streaming.rights import read_role, require_rights

    group = None
    if isinstance(settings, RecommenderSettings):
        group = settings.group
    elif isinstance(settings, InsightsSettings):
        group = settings.insights_group
    role = read_role(name, settings.topic_prefix, group)
    asyncio.run(require_rights(settings.brokers, role, settings.brokers.user))
