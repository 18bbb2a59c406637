"""What attribution holds of shoppers who asked to be forgotten."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from millstream.domain.erasures import Marks
from millstream.stores.attributions import Attributions
from millstream.stores.calls import replies
from millstream.stores.keys import Keys

Offsets = Mapping[int, int]
"""By partition the offset of a record."""


class _List(Struct, array_like=True):
    """As attribution/join.Held begins."""

    recommendation_id: str
    version: str
    variant: str
    log_ms: int


class _Standing(Struct, array_like=True):
    """As attribution/join.Standing begins."""

    lists: list[_List]


class _Enrolment(Struct, array_like=True):
    """As attribution/enrolment.Enrolment begins."""

    label: str
    came_ms: int


_standing = msgspec.msgpack.Decoder(_Standing).decode
_enrolments = msgspec.msgpack.Decoder(list[_Enrolment]).decode


class ErasedAttributions:
    """Looks in every partition, since a shop's own client may place a key where we would not.
    Raises as calls.replies does."""

    def __init__(self, redis: Redis, keys: Keys, partitions: Collection[int]) -> None:
        self._redis = redis
        self._keys = keys
        self._partitions = partitions

    async def remaining(self, marks: Marks) -> int:
        """Keys of the shoppers that hold anything from up to their marks."""
        return len(await self._older(marks))

    async def clear(self, marks: Marks) -> None:
        """At once, whether attribution runs or not. What one that runs has in hand it may write
        back; it takes that away itself when it comes to the erase event."""
        pipeline = self._redis.pipeline(transaction=False)
        for key in await self._older(marks):
            pipeline.delete(key)
        await replies(pipeline)

    async def has_passed(self, lists: Offsets, events: Offsets) -> bool:
        """Whether attribution stands past these records of the two topics, or never ran: then
        nothing that is gone comes back."""
        store = Attributions(self._redis, self._keys)
        stands = {number: await store.positions(number) for number in self._partitions}
        if all(at is None for at in stands.values()):
            return True
        return all(
            (stands.get(number) or (0, 0))[topic] > offset
            for topic, offsets in enumerate((lists, events))
            for number, offset in offsets.items()
        )

    async def _older(self, marks: Marks) -> list[str]:
        pipeline, rows = self._redis.pipeline(transaction=False), list(self._keys_of(marks))
        for key, _, _ in rows:
            pipeline.get(key)
        found: list[Any] = await replies(pipeline)
        return [
            key
            for (key, times_of, mark), packed in zip(rows, found, strict=True)
            if packed is not None and any(at <= mark for at in times_of(packed))
        ]

    def _keys_of(self, marks: Marks) -> Iterator[tuple[str, Any, int]]:
        for name, mark in marks.items():
            for number in self._partitions:
                yield self._keys.attributable(number, *name), _listed, mark
                yield self._keys.enrolled(number, *name), _enrolled, mark


def _listed(packed: bytes) -> list[int]:
    return [one.log_ms for one in _standing(packed).lists]


def _enrolled(packed: bytes) -> list[int]:
    return [one.came_ms for one in _enrolments(packed)]
