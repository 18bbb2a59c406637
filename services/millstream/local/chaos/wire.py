"""Redis by its bare protocol: the harness's own eyes and hands, sharing no code with the stores.

Replies come as hiredis parses them; a refusal is raised, so that a fault's command that the server
did not take is never mistaken for a fault."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import hiredis

from millstream.local.ports import LOOPBACK

ANSWER_S = 10.0
CONNECT_S = 2.0
READ_BYTES = 256 * 1024

Word = bytes | str | int | float


class RedisSaidNo(Exception):  # noqa: N818  the server's words
    """The server refused a command."""


class Wire:
    """One connection. Raises OSError and TimeoutError where the server is away or silent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._parser = hiredis.Reader()

    async def call(self, *words: Word, timeout_s: float = ANSWER_S) -> Any:
        (reply,) = await self.pipeline([words], timeout_s=timeout_s)
        return reply

    async def pipeline(
        self, commands: Sequence[Sequence[Word]], timeout_s: float = ANSWER_S
    ) -> list[Any]:
        """Raises RedisSaidNo for the first refusal, once all replies are read."""
        self._writer.write(b"".join(_packed(words) for words in commands))
        async with asyncio.timeout(timeout_s):
            replies = [await self._reply() for _ in commands]
        for reply in replies:
            if isinstance(reply, hiredis.ReplyError):
                raise RedisSaidNo(str(reply))
        return replies

    async def atomic(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The replies as of one moment: MULTI and EXEC."""
        replies = await self.pipeline([("MULTI",), *commands, ("EXEC",)])
        return list(replies[-1])

    async def _reply(self) -> Any:
        while (reply := self._parser.gets()) is False:
            more = await self._reader.read(READ_BYTES)
            if not more:
                raise ConnectionResetError("the server closed the connection")
            self._parser.feed(more)
        return reply

    def close(self) -> None:
        self._writer.close()


def _packed(words: Sequence[Word]) -> bytes:
    return bytes(hiredis.pack_command(tuple(words)))  # type: ignore[arg-type]  # its stub wants one


@asynccontextmanager
async def wired(port: int) -> AsyncIterator[Wire]:
    async with asyncio.timeout(CONNECT_S):
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    wire = Wire(reader, writer)
    try:
        yield wire
    finally:
        wire.close()
