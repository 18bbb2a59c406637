"""A batch is judged piece by piece, and one key's batches one after the other: who asks for little
beside a flood waits for a piece of each key, and the flood waits for itself."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence

from millstream.gateway.intake import Judged

PIECE = 25
"""Events that are judged, or queued for Kafka, without a look at what else there is to do: some
1 ms each."""

Judge = Callable[[Sequence[bytes]], Judged]


class Turns:
    """Holds a lock for each API key that has sent something."""

    def __init__(self) -> None:
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def judged(self, key_id: str, said: Sequence[bytes], judge: Judge) -> Judged:
        """As `judge` of all of it, which must not be empty. Waits for what the same key sent
        before."""
        async with self._turns[key_id]:
            found = [judge(said[:PIECE])]
            for at in range(PIECE, len(said), PIECE):
                await asyncio.sleep(0)
                found.append(judge(said[at : at + PIECE]))
        return found[0] if len(found) == 1 else _whole(found)


def _whole(found: Sequence[Judged]) -> Judged:
    return Judged(
        [verdict for one in found for verdict in one.verdicts],
        [record for one in found for record in one.records],
        tuple(dict(pair for one in found for pair in one.known_as).items()),
    )
