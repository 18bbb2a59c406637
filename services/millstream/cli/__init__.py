"""`millstream ...`: every command, and how errors reach the person who typed it."""

from __future__ import annotations

import os
import sys

from millstream.domain.errors import Halt, OperatorError

WRONG_SETTING = 2
HALTED = 70


def main() -> None:
    """Exits with 0, with 2 and one line for a wrong or missing thing, with 70 where going on
    would lose or double something."""
    # Read when numpy loads: a worker's products must not take the cores of those beside it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What TensorFlow says of itself while it loads is not for who typed a command.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from millstream.cli.app import app

    try:
        app()
    except OperatorError as error:
        print(f"millstream: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(WRONG_SETTING) from None
    except Halt as error:
        print(f"millstream: stopped: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(HALTED) from None
