"""Each weather does to a connection what its name says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from millstream.local.chaos.proxy import Proxy, Weather
from millstream.local.ports import LOOPBACK, free_port

ANSWER_S = 5.0
SILENT_S = 0.3


class Echo:
    """Remembers what reached it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.heard = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            self.heard += data
            writer.write(data)
            await writer.drain()
        writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, LOOPBACK, made.port)
    yield made
    server.close()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    made = Proxy(echo.port)
    await made.open()
    yield made
    await made.close()


async def ask(proxy: Proxy, data: bytes = b"hello", within_s: float = ANSWER_S) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    try:
        writer.write(data)
        async with asyncio.timeout(within_s):
            return await reader.readexactly(len(data))
    finally:
        writer.close()


async def test_fair_weather_passes_everything(proxy: Proxy) -> None:
    assert await ask(proxy, b"x" * 300_000) == b"x" * 300_000


async def test_a_cut_lets_the_request_through_and_no_answer(proxy: Proxy, echo: Echo) -> None:
    proxy.change(Weather.CUT_AFTER_REQUEST)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await ask(proxy)
    assert echo.heard == b"hello"


@pytest.mark.parametrize("weather", [Weather.BLACK_HOLE, Weather.DELAY])
async def test_nothing_comes_back_for_now(proxy: Proxy, weather: Weather) -> None:
    proxy.change(weather)
    with pytest.raises(TimeoutError):
        await ask(proxy, within_s=SILENT_S)


async def test_a_half_closed_connection_ends_for_the_client(proxy: Proxy) -> None:
    proxy.change(Weather.HALF_CLOSE)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await ask(proxy)


async def test_a_trickle_arrives_whole(proxy: Proxy) -> None:
    proxy.change(Weather.TRICKLE)
    assert await ask(proxy, b"0123456789" * 8) == b"0123456789" * 8


async def test_fair_weather_comes_back(proxy: Proxy) -> None:
    proxy.change(Weather.BLACK_HOLE)
    with pytest.raises(TimeoutError):
        await ask(proxy, within_s=SILENT_S)
    proxy.change(Weather.FAIR)
    assert await ask(proxy) == b"hello"
