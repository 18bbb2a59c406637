"""Lanes that need the broker and lanes that break it keep out of each other's way."""

from __future__ import annotations

import asyncio

from millstream.local.chaos.quiet import Quiet


async def test_a_needed_broker_is_not_broken() -> None:
    quiet = Quiet()
    async with quiet.needed():
        with quiet.broken() as may:
            assert not may
    with quiet.broken() as may, quiet.broken() as twice:
        assert (may, twice) == (True, False)


async def test_who_needs_it_waits_until_it_is_mended() -> None:
    quiet, begun = Quiet(), asyncio.Event()

    async def need() -> None:
        async with quiet.needed():
            begun.set()

    with quiet.broken():
        waiting = asyncio.create_task(need())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not begun.is_set()
    await asyncio.wait_for(waiting, 5)
    assert begun.is_set()
