"""The word of a model's move, told until Kafka has it."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from millstream.domain.identity import record_key
from millstream.domain.models import ModelAnnouncement
from millstream.gateway.delivery import Delivery
from millstream.gateway.problems import Refusal

AGAIN_S = 2.0

log = structlog.get_logger("millstream.gateway")


class Announcing:
    """Of each model the newest move alone: an announcement only says when to look. What is owed
    when this process ends is not told; recommenders look by themselves every half minute."""

    def __init__(self, delivery: Delivery, topic: str) -> None:
        self._delivery = delivery
        self._topic = topic
        self._owed: dict[bytes, bytes] = {}

    async def tell(self, told: ModelAnnouncement) -> bool:
        """False where Kafka has not acknowledged it in time: then `follow` goes on telling it, also
        where whoever called waits no longer."""
        key = record_key(told.tenant, told.model)
        self._owed[key] = msgspec.json.encode(told)
        return await self._told(key)

    async def follow(self, again_s: float = AGAIN_S) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(again_s)
            for key in list(self._owed):
                await self._told(key)

    async def _told(self, key: bytes) -> bool:
        value = self._owed.get(key)
        if value is None:
            return True
        try:
            await self._delivery.deliver(self._topic, [(key, value)])
        except Refusal as refused:
            log.warning("a model's move is still to be announced", why=refused.detail)
            return False
        if self._owed.get(key) is value:
            del self._owed[key]
        return True
