"""`millstream models train`: the trainer is asked for a new version."""

from __future__ import annotations

import asyncio

import msgspec
import typer

from millstream.cli.variables import checked
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.identity import record_key
from millstream.domain.models import TrainingRequest
from millstream.settings import ConnectionSettings


def train(model: str = typer.Option("embedding"), tenant: str = typer.Option("default")) -> None:
    """Asks the trainer for a new version, however little is new. It trains as soon as it is
    free, also if it is started later; the gate decides whether the version serves."""
    request = TrainingRequest(tenant=tenant, model=model, requested_at=as_datetime(wall_clock()))
    asyncio.run(_send(checked(ConnectionSettings), request))
    typer.echo(f"A version of {tenant}/{model} is asked for: see `millstream models list`.")


async def _send(settings: ConnectionSettings, request: TrainingRequest) -> None:
    from millstream.streaming.producer import producer_for
    from millstream.streaming.starting import started
    from millstream.streaming.topics import TRAINING

    producer = producer_for(settings, client_id="millstream-models")
    try:
        await started(producer, settings.brokers)
        await producer.send_and_wait(
            settings.topic(TRAINING),
            msgspec.json.encode(request),
            record_key(request.tenant, request.model),
        )
    finally:
        await producer.stop()
