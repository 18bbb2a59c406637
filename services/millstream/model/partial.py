"""How a version appears whole and vanishes at once, whenever the process may die: it is written and
removed under a name that nobody reads, and one rename makes or ends it.

MILLSTREAM_FAILPOINT=model-life:<n> kills at the n-th sync, rename or move of the pointer."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from millstream.domain.failpoints import failpoint
from millstream.model.signed_files import sync_directory

_PARTIAL = ".partial-"


@contextmanager
def new_partial(home: Path) -> Iterator[Path]:
    """A directory to write a version into, gone afterwards unless it was published."""
    partial = _partial_name(home)
    partial.mkdir()
    try:
        with _held(partial):
            yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def publish(partial: Path, target: Path) -> bool:
    """False where another trainer was quicker with this number."""
    if target.exists():
        return False
    failpoint("model-life")
    try:
        partial.rename(target)  # refused by the system where the target holds files
    except FileExistsError:
        return False
    except OSError:
        if target.exists():
            return False
        raise
    failpoint("model-life")
    sync_directory(target.parent)
    failpoint("model-life")
    return True


def withdraw(version: Path) -> None:
    going = _partial_name(version.parent)
    failpoint("model-life")
    version.rename(going)
    failpoint("model-life")
    shutil.rmtree(going, ignore_errors=True)


def remove_left(home: Path) -> int:
    """What nobody is at work in; returns how much there was."""
    left = [path for path in home.glob(f"{_PARTIAL}*") if _is_free(path)]
    for path in left:
        shutil.rmtree(path, ignore_errors=True)
    return len(left)


def _partial_name(home: Path) -> Path:
    return home / f"{_PARTIAL}{uuid4().hex}"


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Tells `_is_free` of other processes that somebody is at work in it; a crash lets go of it."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_free(directory: Path) -> bool:
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
