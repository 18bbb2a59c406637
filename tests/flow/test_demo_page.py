"""The page beside the demo: what is clicked on it while it plays is counted with all else."""

from __future__ import annotations

import asyncio
import io
import re
import webbrowser
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from rich.console import Console

from millstream.local.beside import PageBeside
from millstream.local.demo import play
from millstream.local.recordings import online_retail
from millstream.local.summary import Summary

pytestmark = pytest.mark.timeout(150)

FIRST_DAYS = date(2010, 12, 4)
CLICKS = 3


async def test_clicks_count_once_and_the_page_stays_until_it_is_told_to_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _address: True)
    said, told = io.StringIO(), list[Summary]()
    recording = online_retail(FIRST_DAYS)
    beside = PageBeside(Console(file=said, width=200), True, told.append)
    console = Console(quiet=True)
    playing = asyncio.create_task(play(recording, console, models=0, beside=beside))

    await until(playing, lambda: "#key=" in said.getvalue())
    found = re.search(r"(http://127\.0\.0\.1:\d+)/page/#key=(\S+)", said.getvalue())
    assert found is not None
    headers = {"authorization": f"Bearer {found[2]}"}
    async with httpx.AsyncClient(base_url=found[1], headers=headers) as http:
        for n in range(CLICKS):
            while (answer := await http.post("/v1/events", json=click(n))).status_code == 503:
                assert "the replay has not begun" in answer.json()["detail"]
                await asyncio.sleep(0.05)
            assert answer.json()["accepted"] == 1
        await until(playing, lambda: bool(told))
        assert "until Ctrl-C" in said.getvalue()
        # It is measured, and still there.
        assert (await http.post("/v1/events", json=click(CLICKS))).json()["accepted"] == 1
        seen = (await http.get("/v1/previews?user=~visitor")).json()["recent"]
        assert {touch["time_ms"] // 31_536_000_000 for touch in seen} == {40}, "in 2010"

    playing.cancel()  # as Ctrl-C does
    summary = await playing
    assert summary == told[0]
    assert summary.accepted == recording.events + CLICKS
    assert (summary.lost, summary.doubled) == (0, 0)
    assert (summary.lost_lines, summary.doubled_lines) == (0, 0)
    async with httpx.AsyncClient(base_url=found[1]) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/readyz")


def click(n: int) -> dict[str, Any]:
    return {
        "event_id": f"click-{n}",
        "type": "view_item",
        "time": datetime.now(UTC).isoformat(),
        "anonymous_id": "visitor",
        "items": [{"item_id": "85123A"}],
    }


async def until(playing: asyncio.Task[Summary], holds: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 100
    while not holds():
        if playing.done():
            playing.result()
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)
