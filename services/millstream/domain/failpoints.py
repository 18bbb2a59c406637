"""Hooks of the harness that proves what a crash costs (`millstream chaos`); nothing else sets them.

MILLSTREAM_FAILPOINT=<name>:<n> names a place at which the process kills itself; unset, `failpoint`
costs one comparison. MILLSTREAM_CHAOS_WITHOUT=<check> switches a check off, so that the harness can
be seen to miss it."""

from __future__ import annotations

import os
import signal

_POINT, _, _TIMES = os.environ.get("MILLSTREAM_FAILPOINT", "").partition(":")
_WITHOUT = os.environ.get("MILLSTREAM_CHAOS_WITHOUT", "")
_left = int(_TIMES or 1)


def failpoint(name: str) -> None:
    """Does not return from the n-th time the named point is reached: SIGKILL, as a crash."""
    if name != _POINT:
        return
    global _left  # noqa: PLW0603  it lives as long as the process
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def switched_off(check: str) -> bool:
    return check == _WITHOUT
