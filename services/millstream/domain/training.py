"""How the next version of a model stands: told by its trainer, shown by the gateway."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class Step(StrEnum):
    WAITING = "waiting"
    """Until enough is new, or it is time."""
    READING = "reading"
    """What it is to learn from is read and cleaned."""
    LEARNING = "learning"
    JUDGING = "judging"
    """Beside the version in service, by the gate."""
    REGISTERING = "registering"
    """Signed, promoted if it may be, and announced."""


class Ended(Struct, frozen=True):
    """The last training; `version`: null where it made none."""

    at: datetime
    verdict: str
    version: int | None


class TrainingState(Struct, frozen=True, kw_only=True):
    """`new`: item lines since the last training, between two counts as many as the lake's growth
    makes likely, null before the first count; of the model of reviews, rated reviews. A training
    begins at `wanted`, or at `due_at` if one is new. `why`, `began_at`: of the training at work.
    Of its `fits` the `fit`-th is learnt, and `done` of all of them. `at_work`: false once the
    trainer has ended."""

    step: Step
    wanted: int
    new: int | None = None
    due_at: datetime | None = None
    why: str | None = None
    began_at: datetime | None = None
    fit: int = 0
    fits: int = 0
    done: float = 0.0
    last: Ended | None = None
    at_work: bool = True
