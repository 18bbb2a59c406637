"""SIGTERM, and what is promised of each service: an orderly end within ten seconds."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from millstream.local.deployment import ServiceProcess

ENDS_WITHIN_S = 10.0


async def ends_in_order(process: ServiceProcess) -> None:
    """To be started again afterwards. Fails where it goes on for longer, or ends with another code
    than 0."""
    asked = time.monotonic()
    os.kill(process.pid, signal.SIGTERM)
    while process.alive:
        took = time.monotonic() - asked
        assert took < ENDS_WITHIN_S, f"{process.name} goes on:\n{process.log_tail()}"
        await asyncio.sleep(0.05)
    assert process.exit_code == 0, process.log_tail()
    print(f"{process.name} ended in {time.monotonic() - asked:.1f} s")  # noqa: T201
    await asyncio.to_thread(process.stop)  # a process that ended is no failure from here on
