"""The live page in a real Chromium, as `millstream verify page` tries it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console
from tests.needed import not_here

from millstream.local import browsers
from millstream.local.page_trial import try_page

pytestmark = pytest.mark.timeout(420)


async def test_people_can_use_it(tmp_path: Path) -> None:
    reason = browsers.availability()
    if reason is not None:
        not_here(reason)
    trial = await try_page(Console(quiet=True), tmp_path)
    assert trial.failures() == []
    assert trial.pictures == pictures_in(tmp_path) > 20


def pictures_in(folder: Path) -> int:
    return len(list(folder.glob("*.png")))
