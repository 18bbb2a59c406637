"""The dead letters of what is read a second time: they went out when it was read first."""

from __future__ import annotations

from collections.abc import Collection

from millstream.domain.errors import Refused
from millstream.domain.log import LogRecord
from millstream.domain.replayed import Origin
from millstream.streaming.dead_letters import DeadLetters


class LettersAgain(DeadLetters):
    """Sends none of partitions in `settled`, where the recommenders left their watermark: letters
    of records before it are durable, and those after it the recommender sends when it reads on
    from there. Of other partitions nobody knows, and a letter twice is better than none. What is
    over-full is owed (stores/outbox.py): the recommenders send those letters, maybe once more."""

    def __init__(self, letters: DeadLetters | None, settled: Collection[int]) -> None:
        self._letters = letters
        self._settled = settled

    async def send(
        self,
        record: LogRecord,
        refused: Refused,
        origin: Origin | None = None,
        *,
        gone: bool = False,
    ) -> None:
        if self._letters is not None and record.partition not in self._settled:
            await self._letters.send(record, refused, origin, gone=gone)
