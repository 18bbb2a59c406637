"""Secrets in files: written whole or not at all, never over another, for their owner alone."""

from __future__ import annotations

import base64
import binascii
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from millstream.domain.errors import OperatorError

STALE_S = 60.0
"""Nobody writes a secret for so long."""
_UNFINISHED = ".new-"


def write_secret(path: Path, secret: bytes) -> None:
    """As one line of base64, mode 0600, on the disk when it returns. Raises FileExistsError, and
    OperatorError where the folder can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
    except OSError as error:
        raise OperatorError(
            f"the secret file {path.name}", f"{path.parent} ({error.strerror})", "a writable folder"
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            _remove_stale(path.parent, os.fstat(descriptor).st_mtime)
            file.write(base64.b64encode(secret) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        os.unlink(temporary)
    _sync_folder(path.parent)


def read_secret(path: Path, length: int) -> bytes:
    """Raises OperatorError where it is missing, open to others, or not `length` bytes."""
    what = f"the secret file {path.name}"
    try:
        text, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        raise OperatorError(what, f"{path} ({error.strerror})", "a readable file") from None
    if mode & 0o077:
        raise OperatorError(what, f"{path}, which others can read", "mode 0600")
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != length:
        raise OperatorError(what, f"{path}, whose content is not one", f"{length} bytes in base64")
    return secret


def _remove_stale(folder: Path, now: float) -> None:
    """What a process that died in the middle of `write_secret` left: it may hold a secret that is
    in use, and outlive it."""
    for path in folder.glob(f"{_UNFINISHED}*"):
        with suppress(FileNotFoundError):  # another one was as quick
            if now - path.stat().st_mtime > STALE_S:
                path.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
