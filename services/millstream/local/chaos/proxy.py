"""A TCP proxy that turns bad: what stands between a worker and its server on a real network."""

from __future__ import annotations

import asyncio
import contextlib
from enum import StrEnum

from millstream.local.ports import LOOPBACK, free_port

READ_BYTES = 64 * 1024
DELAY_S = 2.0
TRICKLE_BYTES = 16
TRICKLE_S = 0.02


class Weather(StrEnum):
    """How bytes pass. `CUT_AFTER_REQUEST`: each request still reaches the server, and then the
    connection goes instead of the answer: its outcome is unknown to the client."""

    FAIR = "fair"
    CUT_AFTER_REQUEST = "cut-after-request"
    BLACK_HOLE = "black-hole"
    HALF_CLOSE = "half-close"
    DELAY = "delay"
    TRICKLE = "trickle"


class Proxy:
    """In front of one port of loopback; the weather of all connections changes at once."""

    def __init__(self, server_port: int) -> None:
        self.port = free_port()
        self._server_port = server_port
        self._weather = Weather.FAIR
        self._changed = asyncio.Event()
        self._listening: asyncio.Server | None = None
        self._links: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._listening = await asyncio.start_server(self._serve, LOOPBACK, self.port)

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self.cut()

    def change(self, weather: Weather) -> None:
        """From now on; back to fair, connections that bad weather has hurt are cut, as a network
        would have them reset."""
        hurt = self._weather in (Weather.BLACK_HOLE, Weather.HALF_CLOSE)
        self._weather = weather
        self._changed.set()
        self._changed = asyncio.Event()
        if hurt and weather is Weather.FAIR:
            self.cut()

    def cut(self) -> None:
        for link in list(self._links):
            link.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._links.add(writer)
        try:
            there_reader, there = await asyncio.open_connection(LOOPBACK, self._server_port)
        except OSError:
            self._links.discard(writer)
            writer.transport.abort()
            return
        self._links.add(there)
        try:
            await asyncio.gather(
                self._pump(reader, there, answers=False),
                self._pump(there_reader, writer, answers=True),
            )
        except (OSError, EOFError):
            pass
        finally:
            for link in (writer, there):
                self._links.discard(link)
                link.transport.abort()

    async def _pump(
        self, source: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        """Raises EOFError at the end, so that the other direction ends too."""
        while data := await source.read(READ_BYTES):
            await self._pass(data, to, answers=answers)
        raise EOFError

    async def _pass(self, data: bytes, to: asyncio.StreamWriter, *, answers: bool) -> None:
        while self._weather is Weather.BLACK_HOLE:
            await self._changed.wait()
        if self._weather is Weather.CUT_AFTER_REQUEST and answers:
            raise EOFError
        if self._weather is Weather.HALF_CLOSE and answers:
            with contextlib.suppress(OSError):
                to.write_eof()
            await self._changed.wait()
            raise EOFError
        if self._weather is Weather.DELAY:
            await asyncio.sleep(DELAY_S)
        if self._weather is Weather.TRICKLE:
            await self._trickle(data, to)
            return
        to.write(data)
        await to.drain()

    async def _trickle(self, data: bytes, to: asyncio.StreamWriter) -> None:
        """Until the weather changes; then the rest at once."""
        place = 0
        while place < len(data) and self._weather is Weather.TRICKLE:
            to.write(data[place : place + TRICKLE_BYTES])
            place += TRICKLE_BYTES
            await asyncio.sleep(TRICKLE_S)
        to.write(data[place:])
        await to.drain()
