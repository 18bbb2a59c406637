"""`millstream demo`: the whole system on a real shop's months, with the live page beside it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from millstream import logs

if TYPE_CHECKING:
    from rich.console import Console

    from millstream.local.summary import Summary


def demo(json: bool = typer.Option(False, help="End with one JSON object.")) -> None:
    """The whole system on five months of a real shop, in under four minutes; on a terminal its page
    opens, and stays until Ctrl-C."""
    from millstream.cli.playing import report, tell
    from millstream.local.beside import PageBeside
    from millstream.local.demo import play
    from millstream.local.recordings import online_retail

    logs.configure("WARNING")  # a library that is imported at the end would set the root's level
    recording = online_retail()
    stays = not json and sys.stdout.isatty() and sys.stderr.isatty()

    async def run(console: Console) -> Summary:
        beside = PageBeside(console, stays, lambda summary: tell(summary, as_json=False))
        return await play(recording, console, beside=beside)

    report(run, json, lambda summary: summary.failures(recording.required), told=stays)
