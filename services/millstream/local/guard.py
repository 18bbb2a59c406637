"""A guard: a shell reading a pipe whose other end only we hold. It acts when we vanish without a
word (kill -9), and ends in silence with the line it is sent."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What still writes there is being ended by its own guard meanwhile, so once may not do.
_REMOVE = 'read -r _ || until rm -rf "$0"; do sleep 0.1; done'


def set_guard(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """`script` has the arguments as $0, $1 and so on, and begins with `read -r _ ||`."""
    return subprocess.Popen(
        ["/bin/sh", "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def dismiss(guard: subprocess.Popen[bytes]) -> None:
    guard.communicate(b"\n")


@contextmanager
def guarded_directory(prefix: str) -> Iterator[Path]:
    """A new folder for temporary files that is gone after us, however we end."""
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    guard = set_guard(_REMOVE, str(directory))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        dismiss(guard)
