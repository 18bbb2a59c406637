"""Portions on their way through the pipeline: several at a time, each step of it in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from millstream.counting.fenced import FenceMoved


@dataclass(slots=True)
class Turn:
    """How far a portion has come."""

    recorded: asyncio.Event = field(default_factory=asyncio.Event)
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    delivered: asyncio.Event = field(default_factory=asyncio.Event)
    came_to_nothing: bool = False

    def pass_on(self) -> None:
        self.recorded.set()
        self.sent.set()
        self.delivered.set()

    def give_up(self) -> None:
        """Whoever waits for it is to give up too. A cancellation alone does not see to that: the
        clients below us swallow one that comes as their answer does."""
        self.came_to_nothing = True
        self.pass_on()

    def require(self) -> None:
        """Raises FenceMoved where it came to nothing."""
        if self.came_to_nothing:
            raise FenceMoved("the portion before came to nothing")


Flight = Callable[[Turn, Turn], Awaitable[None]]
"""Takes the turn of the portion before and its own, and waits for the former at each step."""


class Flights:
    """`ended`: is told whenever one of them ends; what it raised comes out of the next call."""

    def __init__(self, most: int, ended: Callable[[], None]) -> None:
        self._most = most
        self._ended = ended
        self._tasks: deque[asyncio.Task[None]] = deque()
        self._last = Turn()
        self._last.pass_on()

    async def begin(self, flight: Flight) -> None:
        """Waits while so many others are under way. Raises what one of them raised."""
        before, self._last = self._last, Turn()
        task = asyncio.create_task(self._fly(flight, before, self._last))
        task.add_done_callback(self._has_ended)
        self._tasks.append(task)
        await asyncio.sleep(0)  # its calls go out before the next portion is decoded
        self.look()
        while len(self._tasks) > self._most:
            await self._land()

    def look(self) -> None:
        """Raises what the oldest that ended raised."""
        while self._tasks and self._tasks[0].done():
            self._tasks.popleft().result()

    async def recorded(self) -> None:
        """Returns when the last one has been recorded, or came to nothing."""
        await self._last.recorded.wait()

    async def sent(self) -> None:
        """Returns when the lists of the last one were handed over, or it came to nothing."""
        await self._last.sent.wait()

    async def landed(self) -> None:
        """Returns when none is under way. Raises what one of them raised."""
        while self._tasks:
            await self._land()

    async def ended(self) -> None:
        """Returns when none is under way, whatever they raise."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def give_up(self) -> None:
        """Ends all, whatever they raise."""
        tasks, self._tasks = self._tasks, deque()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._last = Turn()
        self._last.pass_on()

    def _has_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # else asyncio complains of one that nobody asks about any more
        self._ended()

    async def _land(self) -> None:
        await asyncio.wait([self._tasks[0]])
        self._tasks.popleft().result()

    @staticmethod
    async def _fly(flight: Flight, before: Turn, turn: Turn) -> None:
        try:
            await flight(before, turn)
        except BaseException:
            turn.give_up()
            raise
        turn.pass_on()
