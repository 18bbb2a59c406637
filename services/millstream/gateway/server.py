"""The HTTP server's process: from SIGTERM on it takes nothing new and answers what it took."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import uvicorn
import uvloop

from millstream.domain.errors import OperatorError
from millstream.gateway.beside import going_on
from millstream.gateway.settings import GatewaySettings
from millstream.gateway.wiring import running
from millstream.streaming.telemetry import AT_WORK

DRAIN_S = 8
MAX_CONNECTIONS = 4_000
"""Past it uvicorn answers 503 by itself."""
KEEP_ALIVE_S = 75
SELDOM = 100_000, 50, 100
"""When garbage is collected: a request leaves next to no cycles, and at the usual 700 looking for
them took a twentieth of its time."""


def run(settings: GatewaySettings) -> None:
    """Until SIGTERM or SIGINT. Raises OperatorError or Halt where it can't begin, and what a task
    beside the requests failed with."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


def server_of(
    application: Any, settings: GatewaySettings, lifespan: Literal["on", "off"] = "on"
) -> uvicorn.Server:
    """Of an ASGI application; not started yet. It writes no line per request: a path holds ids."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            host=settings.gateway_host,
            port=settings.gateway_port,
            http="httptools",
            ws="none",
            lifespan=lifespan,
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )


async def _serve(settings: GatewaySettings) -> None:
    async with running(settings) as gateway:
        server = server_of(gateway.door, settings)
        AT_WORK.set(1)
        gc.freeze()  # what stands by now stays: no collection need look through it again
        gc.set_threshold(*SELDOM)
        # uvicorn takes the signals while it serves, and raises them again when it has ended.
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, lambda: None)
        await _until_one_ends(server, gateway.beside)


async def _until_one_ends(
    server: uvicorn.Server, beside: Sequence[Callable[[], Awaitable[None]]]
) -> None:
    async with going_on(beside) as others:
        serving = asyncio.ensure_future(_served(server))
        await asyncio.wait([serving, *others], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await asyncio.wait([serving])
        ended = [task for task in others if task.done()]
    for task in (serving, *ended):
        task.result()


async def _served(server: uvicorn.Server) -> None:
    """uvicorn ends the process where it can't listen; here that is an error like others."""
    try:
        await server.serve()
    except SystemExit:
        raise OperatorError(
            "setting MILLSTREAM_GATEWAY_PORT",
            f"{server.config.host}:{server.config.port}, where nothing can listen",
            "a free port of an address of this machine",
        ) from None
