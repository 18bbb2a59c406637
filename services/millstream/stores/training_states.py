"""What trainers tell of the next versions, in Redis: the newest of each model."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from millstream.domain.training import TrainingState
from millstream.stores.calls import replies
from millstream.stores.keys import Keys


class Told(Struct, frozen=True):
    at: datetime
    state: TrainingState


_told = msgspec.json.Decoder(Told)


class TrainingStates:
    """Raises as calls.replies does."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    async def put(self, tenant: str, model: str, told: Told) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hset(self._keys.trainings(tenant), model, msgspec.json.encode(told))
        await replies(pipeline)

    async def of(self, tenant: str) -> dict[str, Told]:
        """By model. One that does not read, of another release, is left out."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(self._keys.trainings(tenant))
        (found,) = await replies(pipeline)
        told = {}
        for model, packed in found.items():
            try:
                told[model.decode()] = _told.decode(packed)
            except msgspec.DecodeError:
                continue
        return told
