"""Long computing in a process of its own: the loop that carries load and proxies must not wait."""

from __future__ import annotations

import asyncio
import pickle
import sys
from typing import Any

from millstream.domain.errors import OperatorError
from millstream.local.guard import dismiss, set_guard

_GUARD = 'read -r _ || kill -9 "$0"'


async def apart(module: str, *arguments: str) -> Any:
    """What the module, run as a program, hands back by `hand_back`. It ends with us. Raises
    OperatorError where it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    guard = set_guard(_GUARD, str(process.pid))
    try:
        out, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        dismiss(guard)
    if process.returncode:
        raise OperatorError(
            f"the chaos harness, in {module}",
            f"exit code {process.returncode}: {said.decode(errors='replace')[-1500:]}",
            "an answer",
            "Nothing is shown by this run, for the workers or against them",
        )
    return await asyncio.to_thread(pickle.loads, out)  # of our own child


def hand_back(found: object) -> None:
    sys.stdout.buffer.write(pickle.dumps(found))
