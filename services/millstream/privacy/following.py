"""The erasures that were ever asked for, read whole from their compacted topic, then followed."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import msgspec
import structlog
from aiokafka.structs import ConsumerRecord

from millstream.domain.acceptance import Shopper
from millstream.domain.brokers import Servers
from millstream.domain.erasures import Erasure, Marks
from millstream.streaming.followers import Follower, follow, read_to_its_end
from millstream.streaming.topic_admin import partitions_of

CATCH_UP_S = 60.0

_log = structlog.get_logger("millstream.privacy")
_ERASURES = msgspec.json.Decoder(Erasure)


class ErasureMarks:
    """By shopper the latest mark; what does not read as an erasure is passed over and counted in
    the log, without its content."""

    def __init__(self) -> None:
        self._marks: dict[Shopper, int] = {}
        self._new: dict[Shopper, int] = {}

    @property
    def marks(self) -> Marks:
        return self._marks

    def take_new(self) -> Marks:
        """Those that came since the last call."""
        taken, self._new = self._new, {}
        return taken

    def take(self, record: ConsumerRecord[Any, Any]) -> None:
        if record.value is None:
            return
        try:
            erasure = _ERASURES.decode(record.value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            place = {"partition": record.partition, "offset": record.offset}
            _log.warning("privacy.erasure_unreadable", **place)
            return
        if erasure.mark_ms > self._marks.get(erasure.shopper, -1):
            self._marks[erasure.shopper] = self._new[erasure.shopper] = erasure.mark_ms


class ErasureFollower(ErasureMarks):
    """Entered, it knows every erasure up to now, and learns of later ones. Raises OperatorError
    where the topic is missing or not read within CATCH_UP_S, and what ended the reading from
    `take_new`: going on without it would keep what is to be forgotten."""

    def __init__(self, servers: Servers, topic: str) -> None:
        super().__init__()
        self._servers = servers
        self._topic = topic
        self._follower: Follower | None = None

    def take_new(self) -> Marks:
        if self._follower is not None:
            self._follower.raise_what_ended_it()
        return super().take_new()

    async def __aenter__(self) -> Self:
        await partitions_of(self._servers, self._topic)  # to follow a topic could create it
        self._follower = follow(self._servers, self._topic, self.take)
        needed = "every erasure, before anything is kept"
        await read_to_its_end(self._follower, self._servers, self._topic, CATCH_UP_S, needed)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._follower is not None:
            await self._follower.close()


async def load_erasures(servers: Servers, topic: str) -> dict[Shopper, int]:
    """Each erased shopper's mark, from the whole topic (its full name); for a rebuild, which sets
    them before it counts, and for a replay of dead letters, which asks `is_covered`. Raises
    OperatorError as ErasureFollower."""
    async with ErasureFollower(servers, topic) as erasures:
        return dict(erasures.marks)
