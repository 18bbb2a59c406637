"""What people do in mid-load."""

from __future__ import annotations

from millstream.local.chaos.faults.fault import Fault
from millstream.local.chaos.scene import Scene

FAREWELLS = 12


class ShoppersErased(Fault):
    """Several shoppers ask at once to be forgotten, each of them twice."""

    kind = "shoppers-erased"

    async def inject(self, scene: Scene) -> None:
        for _ in range(FAREWELLS):
            farewell = scene.load.traffic.farewell()
            await scene.load.send(farewell)
            await scene.load.send(farewell)


KINDS: tuple[type[Fault], ...] = (ShoppersErased,)
