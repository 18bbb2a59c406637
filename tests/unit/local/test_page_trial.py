"""What the trial of the page makes of what its driver says, and whom the page's key is told."""

from __future__ import annotations

import io
import json
import stat
import webbrowser
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from millstream.local import beside, browsers
from millstream.local.beside import Page, PageBeside
from millstream.local.deployment import Deployment
from millstream.local.page_trial import judged
from millstream.local.summary import Summary

GOOD: dict[str, Any] = {
    "clicked": [
        {"ms": 90, "changed": True, "named": False},
        {"ms": 240, "changed": True, "named": True},
    ],
    "counters": {"accepted": 9, "duplicate": 1, "late": 1, "dead_lettered": 1},
    "axe": [{"panel": "shop", "size": "wide", "id": "region", "serious": False, "at": []}],
    "faults": [],
    "too_wide": [],
    "key_in_address": False,
    "searched": True,
    "event_seen": True,
    "replayed": True,
    "promoted": True,
    "rolled_back": True,
    "rule_in_force_ms": 900,
    "rule_undone": True,
    "question_answered": True,
    "question_not_known": True,
    "pictures": ["a.png"],
}
SERIOUS = {"panel": "shop", "size": "phone", "id": "color-contrast", "serious": True, "at": ["p"]}


def test_a_page_that_does_all_of_it_fails_in_nothing() -> None:
    trial = judged(GOOD)
    assert trial.failures() == []
    assert (trial.click_to_list_ms, trial.reason_names_click, trial.serious_axe) == (240, True, 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"clicked": [{"ms": 1001, "changed": True, "named": True}]}, "click_to_list_ms"),
        ({"clicked": [{"ms": 9, "changed": False, "named": True}]}, "list_changed"),
        ({"clicked": [{"ms": 9, "changed": True, "named": False}]}, "reason_names_click"),
        ({"axe": [SERIOUS]}, "color-contrast in shop phone"),
        ({"searched": False}, "searched"),
        ({"promoted": False}, "promoted"),
        ({"rolled_back": False}, "rolled_back"),
        ({"rule_in_force_ms": 2001}, "rule_in_force_ms is 2001"),
        ({"rule_in_force_ms": None}, "rule_in_force_ms is None"),
        ({"rule_undone": False}, "rule_undone"),
        ({"question_answered": False}, "question_answered"),
        ({"question_not_known": False}, "question_not_known"),
        ({"replayed": False}, "letter_replayed"),
        ({"event_seen": False}, "event_seen"),
        ({"too_wide": ["shop phone: 40 px"]}, "shop phone: 40 px"),
        ({"faults": ["console: refused to apply a style"]}, "refused to apply a style"),
        ({"counters": {**GOOD["counters"], "late": 0}}, "no event is counted as late"),
        ({"key_in_address": True}, "the key stays in the address"),
    ],
)
def test_what_is_amiss_is_named(changes: dict[str, Any], said: str) -> None:
    assert any(said in failure for failure in judged({**GOOD, **changes}).failures())


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that a browser was opened at."""
    seen: list[str] = []
    page = Page(8123, "ms_secret", tmp_path)

    async def started(*_: object) -> Page:
        return page

    monkeypatch.setattr(beside, "start_page", started)
    monkeypatch.setattr(webbrowser, "open", seen.append)
    return seen


async def begun(stays: bool) -> str:
    said = io.StringIO()
    console = Console(file=said, width=40)
    told: list[Summary] = []
    await PageBeside(console, stays, told.append).begin(cast(Deployment, None))
    return said.getvalue()


async def test_without_a_terminal_the_key_is_told_nowhere_and_no_browser_is_opened(
    opened: list[str],
) -> None:
    said = await begun(stays=False)
    assert "http://127.0.0.1:8123/page/" in said.replace("\n", "")
    assert "ms_secret" not in said
    assert opened == []


async def test_on_a_terminal_the_address_comes_whole_and_the_browser_gets_it_by_a_file(
    opened: list[str],
) -> None:
    assert "http://127.0.0.1:8123/page/#key=ms_secret\n" in await begun(stays=True)
    [address] = opened
    assert "ms_secret" not in address
    mode, text = read(Path(address.removeprefix("file://")))
    assert mode == 0o600
    assert "#key=ms_secret" in text


def read(file: Path) -> tuple[int, str]:
    return stat.S_IMODE(file.stat().st_mode), file.read_text()


def test_a_missing_browser_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv(browsers.VARIABLE, raising=False)
    reason = browsers.availability()
    assert reason is not None
    assert "apt-get install chromium" in reason
    monkeypatch.setenv(browsers.VARIABLE, "/bin/sh")
    reason = browsers.availability()
    assert reason is not None
    assert f"Node.js {browsers.OLDEST_NODE}" in reason


def test_the_lock_is_exact_and_names_no_host() -> None:
    lock = (browsers.DRIVER / "package-lock.json").read_text()
    wanted = json.loads((browsers.DRIVER / "package.json").read_text())["dependencies"]
    held = json.loads(lock)["packages"]
    assert {name: held[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert "://" not in lock
