"""Events to the HTTP door, in batches, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from http import HTTPStatus

from millstream.client.composition import InvalidEvent
from millstream.client.gateway import Gateway, NotAnswered, NotTaken, Verdict
from millstream.client.outbox import Outgoing, fail
from millstream.domain.errors import Reason

MAX_BATCH = 500
MAX_BODY_BYTES = 1024 * 1024
"""A quarter of what a gateway takes by default."""
LINGER_S = 0.02
"""For what else comes, once there is one event."""


class ToGateway:
    """A carrier. What the gateway can't take now is sent again, the same bytes with the same ids,
    for `give_up_s`; then the batch fails and the next has its turn."""

    def __init__(self, gateway: Gateway, give_up_s: float, linger_s: float = LINGER_S) -> None:
        self._gateway = gateway
        self._give_up_s = give_up_s
        self._linger_s = linger_s
        self._next: Outgoing | None = None

    async def carry(self, queue: asyncio.Queue[Outgoing]) -> None:
        while True:
            await self._deliver(await self._batch(queue))

    async def _batch(self, queue: asyncio.Queue[Outgoing]) -> list[Outgoing]:
        batch = [self._next or await queue.get()]
        self._next = None
        if queue.qsize() < MAX_BATCH - 1:
            await asyncio.sleep(self._linger_s)
        size = len(batch[0].value)
        while len(batch) < MAX_BATCH and not queue.empty():
            following = queue.get_nowait()
            size += len(following.value)
            if size > MAX_BODY_BYTES:
                self._next = following
                break
            batch.append(following)
        return batch

    async def _deliver(self, batch: Sequence[Outgoing]) -> None:
        try:
            verdicts = await self._gateway.send([one.value for one in batch], self._give_up_s)
        except NotTaken as refused:
            await self._not_taken(batch, refused)
        except NotAnswered as trouble:
            for one in batch:
                fail(one, trouble)
        else:
            for one, verdict in zip(batch, verdicts, strict=True):
                _settle(one, verdict)

    async def _not_taken(self, batch: Sequence[Outgoing], refused: NotTaken) -> None:
        """A gateway may take less at once than is usual; the halves go in order."""
        if refused.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            for one in batch:
                fail(one, refused)
        elif len(batch) > 1:
            middle = len(batch) // 2
            await self._deliver(batch[:middle])
            await self._deliver(batch[middle:])
        else:
            _refuse(batch[0], Reason.TOO_LARGE, str(refused))


def _settle(outgoing: Outgoing, verdict: Verdict) -> None:
    if verdict.status != "accepted":
        _refuse(outgoing, verdict.reason, verdict.detail)
    elif not outgoing.done.done():
        outgoing.done.set_result(None)


def _refuse(outgoing: Outgoing, reason: str, detail: str) -> None:
    if not outgoing.done.done():
        outgoing.done.set_exception(InvalidEvent(reason, detail))
