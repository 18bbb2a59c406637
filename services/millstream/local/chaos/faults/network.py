"""The way to Redis and to Kafka turns bad (proxy.py)."""

from __future__ import annotations

from typing import ClassVar

from millstream.local.chaos.faults.fault import EVERY, Fault
from millstream.local.chaos.proxy import Proxy, Weather
from millstream.local.chaos.scene import Scene


class BadWeather(Fault):
    tiers = EVERY
    hold_s = (1.0, 4.0)
    weather: ClassVar[Weather]
    to_redis: ClassVar[bool]

    def _proxy(self, scene: Scene) -> Proxy:
        return scene.valkey.proxy if self.to_redis else scene.way_to_kafka

    async def inject(self, scene: Scene) -> None:
        self._proxy(scene).change(self.weather)

    async def heal(self, scene: Scene) -> None:
        self._proxy(scene).change(Weather.FAIR)


def _bad(weather: Weather, *, to_redis: bool) -> type[BadWeather]:
    kind = f"{'redis' if to_redis else 'kafka'}-net-{weather}"
    members = {"kind": kind, "weather": weather, "to_redis": to_redis}
    return type(f"BadWeather_{kind}", (BadWeather,), members)


KINDS: tuple[type[Fault], ...] = tuple(
    _bad(weather, to_redis=to_redis)
    for to_redis in (True, False)
    for weather in Weather
    if weather is not Weather.FAIR
)
