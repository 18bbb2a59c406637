"""One thing that was looked at, and what came of it."""

from __future__ import annotations

from collections.abc import Awaitable
from enum import StrEnum

from msgspec import Struct

from millstream.domain.errors import Halt, OperatorError


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    """The services run, but not as they should."""
    BAD = "bad"
    """A service would stop, or what it writes would be wrong."""


class Check(Struct, frozen=True):
    """`found` says what is there, `remedy` how to mend it; no ids, keys or passwords in either."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


async def examined(name: str, looking: Awaitable[Check], remedy: str = "") -> Check:
    """What `looking` found; where it raises OperatorError or Halt, that is what was found."""
    try:
        return await looking
    except OperatorError as error:
        return Check(name, Verdict.BAD, error.found, error.remedy or remedy)
    except Halt as error:
        return Check(name, Verdict.BAD, str(error), remedy)


def not_examined(name: str, because: str) -> Check:
    return Check(name, Verdict.BAD, f"not looked at: {because}", "Mend that first")
