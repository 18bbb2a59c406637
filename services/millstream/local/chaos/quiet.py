"""The broker is shared by all lanes: while one of them breaks it, none may count on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager


class Quiet:
    """Any number may need a whole broker at once, or one may break it."""

    def __init__(self) -> None:
        self._needing = 0
        self._whole = asyncio.Event()
        self._whole.set()

    @asynccontextmanager
    async def needed(self) -> AsyncIterator[None]:
        """Waits while the broker is being broken; until the exit nobody begins to."""
        while not self._whole.is_set():  # it may be broken again before our turn
            await self._whole.wait()
        self._needing += 1
        try:
            yield
        finally:
            self._needing -= 1

    @contextmanager
    def broken(self) -> Iterator[bool]:
        """Never waits. False, and nothing may be broken, where the broker is needed just now."""
        if self._needing or not self._whole.is_set():
            yield False
            return
        self._whole.clear()
        try:
            yield True
        finally:
            self._whole.set()
