"""What Redis holds of shoppers who asked to be forgotten, and the marks that keep them out."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError, WatchError

from millstream.domain.acceptance import Shopper
from millstream.domain.erasures import Marks
from millstream.domain.identity import slot_of
from millstream.domain.log import Partition
from millstream.stores.calls import Arguments, by_code, fcall_pipeline, replies
from millstream.stores.cluster import transacted
from millstream.stores.fences import read_fences
from millstream.stores.keys import Keys
from millstream.stores.shopper_values import fields_of

_AT_ONCE = 500
_LIST_LOG_MS = 8  # a stored list begins with its log time, 8 bytes (stores/served_lists.py)


@dataclass(frozen=True, slots=True)
class _Held:
    """What stands under a shopper's keys."""

    state: bytes | None
    has_ids: bool
    served: bytes
    mark: int

    def older_than(self, mark: int) -> list[bool]:
        """For state, ids and list whether it is from up to `mark`. A mark that is in force took
        all that was older with it; what it leaves is made anew, but for the erase event's own id
        and a list, which counting does not touch."""
        in_force = self.mark >= mark
        only_ids = not fields_of(self.state)
        return [
            self.state is not None and (not in_force or only_ids),
            self.has_ids and (not in_force or only_ids),
            bool(self.served) and int.from_bytes(self.served, "big") <= mark,
        ]


class ErasedState:
    """Raises as calls.replies does."""

    def __init__(self, redis: Redis, keys: Keys, slots: int) -> None:
        self._redis = redis
        self._keys = keys
        self._slots = slots

    async def set_marks(self, marks: Marks) -> None:
        """A mark that rises takes the shopper's counts, ids and list with it, in one atomic call;
        one that is in force already keeps what came after it. A rebuild sets all marks before it
        counts."""
        names = list(marks)
        for start in range(0, len(names), _AT_ONCE):
            part = names[start : start + _AT_ONCE]
            calls = [self._erase_call(name, marks[name]) for name in part]
            await fcall_pipeline(self._redis, "recs_erase_v1", calls)

    async def clear(self, marks: Marks) -> None:
        """Removes what a worker leaves that met the erase event before the mark was set here: an
        id, an older list. What is counted meanwhile is left alone."""
        for name, mark in marks.items():
            await transacted(self._redis, lambda n=name, m=mark: self._clear(n, m))  # type: ignore[misc]

    async def remaining(self, marks: Marks) -> int:
        """Keys of the shoppers that hold anything from up to their marks."""
        rows = await self._rows(marks)
        pairs = zip(rows, marks.values(), strict=True)
        return sum(sum(row.older_than(mark)) for row, mark in pairs)

    async def _rows(self, marks: Marks) -> list[_Held]:
        pipeline = self._redis.pipeline(transaction=False)
        for name in marks:
            state, ids, served = self._state_keys(name)
            pipeline.get(state)
            pipeline.exists(ids)
            pipeline.getrange(served, 0, _LIST_LOG_MS - 1)
            pipeline.hget(self._keys.erased(self._slot(name)), ":".join(name))
        answers: list[Any] = await replies(pipeline)
        return [_held(*answers[start : start + 4]) for start in range(0, len(answers), 4)]

    async def has_applied(self, name: Shopper, source: Partition, offset: int) -> bool:
        """Whether the shopper's slot stands past `offset`: then no call that is still to come
        can count what lies before it."""
        fences = await read_fences(self._redis, self._keys, self._slots, [source])
        return fences.partitions[source].per_slot[self._slot(name)] > offset

    async def _clear(self, name: Shopper, mark: int) -> None:
        keys = self._state_keys(name)
        async with self._redis.pipeline(transaction=True) as transaction:
            try:
                await transaction.watch(*keys)  # a call in between is counting: leave it all
                held = await self._read_one(transaction, name)
                older = held.older_than(mark)
                if held.mark < mark or not any(older):
                    return
                transaction.multi()  # type: ignore[no-untyped-call]
                transaction.delete(*[key for key, old in zip(keys, older, strict=True) if old])
                await transaction.execute()
            except WatchError:
                return
            except ResponseError as error:
                raise by_code(error) from None

    async def _read_one(self, redis: Redis, name: Shopper) -> _Held:
        state, ids, served = self._state_keys(name)
        marks = self._keys.erased(self._slot(name))
        return _held(
            cast(bytes | None, await redis.get(state)),
            await redis.exists(ids),
            cast(bytes, await redis.getrange(served, 0, _LIST_LOG_MS - 1)),
            await cast(Awaitable[bytes | None], redis.hget(marks, ":".join(name))),
        )

    def _erase_call(self, name: Shopper, mark: int) -> tuple[list[str], Arguments]:
        keys = [self._keys.erased(self._slot(name)), *self._state_keys(name)]
        return keys, [":".join(name), mark]

    def _slot(self, name: Shopper) -> int:
        return slot_of(*name, self._slots)

    def _state_keys(self, name: Shopper) -> list[str]:
        slot, keys = self._slot(name), self._keys
        return [
            keys.shopper(slot, *name),
            keys.event_ids(slot, *name),
            keys.served_list(slot, *name),
        ]


class ErasedEverywhere(ErasedState):
    """Also what is held of shoppers as reviewers, under keys of its own: ids of reviews and no
    list. No erase event is counted there, so that what stands beside a mark in force came later."""

    def __init__(self, redis: Redis, keys: Keys, reviews: Keys, slots: int) -> None:
        super().__init__(redis, keys, slots)
        self._reviews = ErasedState(redis, reviews, slots)

    async def set_marks(self, marks: Marks) -> None:
        await super().set_marks(marks)
        await self._reviews.set_marks(marks)

    async def remaining(self, marks: Marks) -> int:
        rows = await self._reviews._rows(marks)
        older = [
            (row.state is not None) + row.has_ids
            for row, mark in zip(rows, marks.values(), strict=True)
            if row.mark < mark
        ]
        return await super().remaining(marks) + sum(older)


def _held(state: bytes | None, ids: int, served: bytes, mark: bytes | None) -> _Held:
    return _Held(state, bool(ids), served, -1 if mark is None else int(mark))
