"""What `millstream map` shows before anything is sent."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tests.golden.adapters import FOLDER
from typer.testing import CliRunner

from millstream.cli.app import app
from millstream.cli.mapping import Sender, show, told
from millstream.client.adapters import ADAPTERS
from millstream.client.adapters.preview import LINES_NAMED, Preview, preview
from millstream.domain.errors import OperatorError, Reason

NOON_MS = 1_795_176_000_000  # 2026-11-20, two hours after the recordings
DAY_MS = 24 * 3600 * 1000


def message(n: int, **changes: Any) -> bytes:
    whole = {
        "type": "track",
        "event": "Product Viewed",
        "messageId": f"m-{n}",
        "anonymousId": "cookie-0815",
        "userId": "ann@example.org",
        "timestamp": "2026-11-20T10:00:00Z",
        "properties": {"product_id": f"p-{n}"},
    }
    return json.dumps(whole | changes).encode()


def of(*lines: bytes, now_ms: int = NOON_MS) -> Preview:
    return preview(lines, ADAPTERS["segment"], "shop", now_ms)


def test_every_line_is_counted_once_with_its_number() -> None:
    found = of(
        b"\xef\xbb\xbf" + message(1),
        b"\n",
        message(2, event="Order Completed"),
        message(3, event="Cart Viewed"),
        b"{",
        message(5, timestamp="2027-11-20T10:00:00Z"),
        message(6, userId="", anonymousId=None),
    )
    assert (found.lines, dict(found.types)) == (6, {"view_item": 1, "purchase": 1})
    assert {what: place.lines for what, place in found.not_ours.items()} == {"Cart Viewed": [4]}
    by_reason = {reason: place.lines for (reason, _), place in found.refused.items()}
    assert by_reason == {
        Reason.UNDECODABLE: [5],
        Reason.FUTURE_TIME: [6],
        Reason.MISSING_FIELD: [7],
    }
    assert not found.is_good


def test_many_lines_of_one_fault_are_one_row_with_the_first_numbers() -> None:
    found = of(*(message(n, properties={"product_id": "a{b}"}) for n in range(25)))
    [((reason, detail), place)] = found.refused.items()
    assert (reason, place.count) == (Reason.BAD_ID, 25)
    assert place.lines == list(range(1, LINES_NAMED + 1))
    assert "a{b}" not in detail


def test_an_old_recording_maps_and_is_told_to_be_late() -> None:
    found = of(message(1), now_ms=NOON_MS + 365 * DAY_MS)
    assert (found.types.total(), found.late, found.is_good) == (1, 1, True)
    assert of(message(1)).late == 0


def test_an_id_that_comes_again_is_told() -> None:
    found = of(message(1), message(2), message(1), message(1, userId="bob"))
    assert (found.types.total(), found.repeated) == (4, 1)


def test_nothing_that_maps_is_no_success() -> None:
    assert not of(message(1, event="Cart Viewed")).is_good
    assert not of().is_good


def test_examples_hold_no_raw_id_and_two_runs_hold_different_ones() -> None:
    lines = [
        message(n, properties={"query": "q of ann@example.org"}, event="Products Searched")
        for n in (1, 2)
    ]
    shown = [json.dumps(told(of(*lines)), default=str) for _ in range(2)]
    for one in shown:
        for raw in ("ann@", "0815", "m-1"):
            assert raw not in one
    assert shown[0] != shown[1]


def test_a_terminal_obeys_nothing_that_a_recording_says() -> None:
    found = of(message(1, event="\x1b[31m[bold]" + "x" * 100))
    console = Console(width=200, record=True, file=io.StringIO())
    show(found, console)
    text = console.export_text()
    assert "\x1b" not in text
    assert "[bold]" in text
    assert "x" * 50 not in text


def run(*arguments: str, given: bytes | None = None) -> Any:
    return CliRunner().invoke(app, ["map", *arguments], input=given)


@pytest.mark.parametrize("sender", list(Sender))
def test_the_command_tells_of_the_recordings(sender: Sender) -> None:
    result = run("--from", sender, str(FOLDER / f"{sender}.jsonl"), "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1, "the recordings hold faults"
    assert found["lines"] == len((FOLDER / f"{sender}.jsonl").read_text().splitlines())
    assert found["mapped"] == sum(found["types"].values()) > 10
    assert sum(row["count"] for row in found["refused"]) > 5
    assert {e["type"] for e in found["examples"]} == set(found["types"])


def test_the_command_reads_gzip_and_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(message(1)))
    for result in (
        run("--from", "segment", str(path)),
        run("--from", "segment", "-", given=message(1)),
    ):
        assert result.exit_code == 0, result.output
        assert "1 lines: 1 events map" in result.stdout


def test_the_senders_are_the_adapters() -> None:
    assert {sender.value for sender in Sender} == set(ADAPTERS)


@pytest.mark.parametrize("name", ["gone.jsonl", "broken.gz"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.gz").write_bytes(b"no gzip")
    result = run("--from", "segment", str(tmp_path / name))
    assert isinstance(result.exception, OperatorError)
    assert name in str(result.exception)
