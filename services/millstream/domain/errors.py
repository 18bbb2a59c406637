"""The three verdicts on trouble (dead letter, slow down, stop) and the operator's error."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a record is a dead letter; the value travels in its headers and in the metrics."""

    TOO_LARGE = "too_large"
    UNDECODABLE = "undecodable"
    DUPLICATE_KEY = "duplicate_key"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_EVENT_TYPE = "unknown_event_type"
    MISSING_FIELD = "missing_field"
    BAD_ID = "bad_id"
    BAD_ITEMS = "bad_items"
    OUT_OF_RANGE = "out_of_range"
    FUTURE_TIME = "future_time"
    LATE = "late"
    OVER = "over"
    POISON = "poison"


class Refused(Exception):  # noqa: N818  a verdict, not a fault of ours
    """The record goes to the dead-letter topic; the worker goes on.

    `detail` is for the operator and never holds a value from the record."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class TryLater(Exception):  # noqa: N818
    """A store can't take a call just now: the same call is made again, nothing is skipped."""


class Halt(Exception):  # noqa: N818
    """Going on would lose or double counts: the process stops and an operator decides."""


class OperatorError(Exception):
    """A wrong setting or a missing thing, told so that its reader can mend it."""

    def __init__(self, thing: str, given: str, expected: str, remedy: str = "") -> None:
        self.found = f"{thing}: got {given}; expected {expected}"
        self.remedy = remedy
        super().__init__(f"{self.found}. {remedy}" if remedy else self.found)
