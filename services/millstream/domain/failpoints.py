"""Hooks of the harness that proves what a crash costs (`millstream chaos`); nothing else sets them.

MILLSTREAM_FAILPOINT=<name>:<n> names a place at which the process kills itself; unset, `failpoint`
costs one comparison. MILLSTREAM_FAILPOINT_FILE=<path> is a file that says the same later on: it is
read at each SIGURG, which a process without the variable ignores.
MILLSTREAM_CHAOS_WITHOUT=<check> switches a check off: the harness must be seen to miss it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TypeVar, cast

POISON = b"failpoint-poison"
"""With MILLSTREAM_FAILPOINT=poison, a record whose value holds it kills whoever decodes it."""

Decode = TypeVar("Decode", bound=Callable[..., object])

_POINT, _left = "", 0
_FILE = os.environ.get("MILLSTREAM_FAILPOINT_FILE", "")
_WITHOUT = os.environ.get("MILLSTREAM_CHAOS_WITHOUT", "")


def _arm(order: str) -> None:
    global _POINT, _left
    name, _, times = order.partition(":")
    _POINT, _left = name, int(times or 1)


_arm(os.environ.get("MILLSTREAM_FAILPOINT", ""))
if _FILE:
    signal.signal(signal.SIGURG, lambda *_: _arm(Path(_FILE).read_text()))


def failpoint(name: str) -> None:
    """Does not return from the n-th time the named point is reached: SIGKILL, as a crash."""
    if name != _POINT:
        return
    global _left  # noqa: PLW0603  it lives as long as the process
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)


def dies_of_poison(decode: Decode) -> Decode:
    """`decode`, whose first argument is a record's value; itself unless the failpoint is set."""
    if _POINT != "poison":
        return decode

    @wraps(decode)
    def mortal(value: bytes | None, *rest: object) -> object:
        if POISON in (value or b""):
            failpoint("poison")
        return decode(value, *rest)

    return cast(Decode, mortal)


def switched_off(check: str) -> bool:
    return check == _WITHOUT
