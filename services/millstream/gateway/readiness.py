"""Whether Kafka and Redis answer, asked beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from msgspec import Struct

from millstream.gateway import telemetry

ASK_S = 2.0
WITHIN_S = 2.0

Probe = Callable[[], Awaitable[object]]
"""False, or any exception, says no."""


class State(Struct, frozen=True):
    """A gateway without Kafka still gives lists, one without Redis gives those from memory and
    takes events: it is ready while either answers."""

    ready: bool
    kafka: bool
    redis: bool


class Readiness:
    def __init__(self, kafka: Probe, redis: Probe) -> None:
        self._probes = {"kafka": kafka, "redis": redis}
        self._answers = {"kafka": True, "redis": True}  # both were reached to come this far

    @property
    def state(self) -> State:
        kafka, redis = self._answers["kafka"], self._answers["redis"]
        return State(kafka or redis, kafka, redis)

    async def ask(self) -> None:
        for part, probe in self._probes.items():
            self._answers[part] = answers = await says_yes(probe)
            telemetry.READY.labels(part).set(answers)

    async def follow(self) -> None:
        """For ever."""
        while True:
            await self.ask()
            await asyncio.sleep(ASK_S)


async def says_yes(probe: Probe) -> bool:
    """Within WITHIN_S."""
    try:
        async with asyncio.timeout(WITHIN_S):
            return await probe() is not False
    except Exception:  # noqa: BLE001  why is for the logs of what fails by it
        return False
