"""`millstream ...` to its end, for tests of what a command says and does.

Each is a fork of a process that has the imports behind it (multiprocessing's fork server), not a
new interpreter that needs two seconds of a core for them. What is about a service's life (starts,
kills, failpoints) starts processes as users do."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 90.0

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["millstream.cli.app", "millstream.recommender.wiring", "millstream.setup", "litestar"]
)
"""Not what imports Polars, which starts threads: no fork has them."""


@dataclass(frozen=True, slots=True)
class Done:
    code: int
    out: str
    err: str


def run(*words: str, **variables: str) -> Done:
    """`millstream WORDS`, with `variables` beside ours. Blocks; fails after PATIENCE_S."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        command = _CONTEXT.Process(
            target=_live, args=(words, {**os.environ, **variables}, str(out), str(err))
        )
        command.start()
        command.join(PATIENCE_S)
        if command.exitcode is None:
            command.kill()
            command.join()
            raise TimeoutError(f"millstream {words[0]} did not end; it said: {err.read_text()}")
        return Done(command.exitcode, out.read_text(), err.read_text())


async def ran(*words: str, **variables: str) -> Done:
    return await asyncio.to_thread(run, *words, **variables)


def _live(words: Sequence[str], variables: Mapping[str, str], out: str, err: str) -> None:
    """The fork, as if it had been started so."""
    for number, path, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY | os.O_CREAT),
        (2, err, os.O_WRONLY | os.O_CREAT),
    ):
        os.dup2(os.open(path, how, 0o600), number)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["millstream", *words]
    from millstream.cli import main

    main()
