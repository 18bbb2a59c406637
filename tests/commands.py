"""`millstream ...` to its end, for tests of what a command says and does.

With `run` and `ran` each is a fork of a process that has the imports behind it (multiprocessing's
fork server), not a new interpreter that needs two seconds of a core for them. What is about a
process's life (starts, kills, failpoints, which are read at import) is started as users do it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0

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
        out.touch(mode=0o600)
        err.touch(mode=0o600)
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


async def ran_as_users_do(*words: str, **variables: str) -> Done:
    """A new interpreter, whose exit code is negative where a signal ended it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "millstream", *words),
        env={**os.environ, **variables},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


def _live(words: Sequence[str], variables: Mapping[str, str], out: str, err: str) -> None:
    """The fork, as if it had been started so."""
    for number, path, how in (
        (0, os.devnull, os.O_RDONLY),
        (1, out, os.O_WRONLY),
        (2, err, os.O_WRONLY),
    ):
        os.dup2(os.open(path, how), number)
    os.environ.clear()
    os.environ.update(variables)
    sys.argv = ["millstream", *words]
    from millstream.cli import main

    main()
