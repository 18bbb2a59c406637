"""What a trainer is at: the loop and the thread that learns tell it, whoever passes it on asks."""

from __future__ import annotations

from msgspec.structs import replace

from millstream.domain.clock import as_datetime
from millstream.domain.training import Ended, Step, TrainingState
from millstream.trainer.fitting import Stop, Watch
from millstream.trainer.trigger import Trigger


class Progress:
    """Told by one at a time; `state` may be asked for by any thread."""

    def __init__(self) -> None:
        self.state = TrainingState(step=Step.WAITING, wanted=0)

    def waits(self, trigger: Trigger, new: int | None) -> None:
        """`new`: lines, or reviews, since the last training; None where they were never counted."""
        due_ms = trigger.due_ms
        self.state = replace(
            self.state,
            step=Step.WAITING,
            new=new,
            wanted=trigger.wanted,
            due_at=None if due_ms is None else as_datetime(due_ms),
        )

    def begins(self, now_ms: int, why: str) -> None:
        began = as_datetime(now_ms)
        self.state = replace(
            self.state, step=Step.READING, why=why, began_at=began, fit=0, fits=0, done=0.0
        )

    def learns(self, fits: int) -> None:
        """So many networks, one after the other."""
        self.state = replace(self.state, fits=fits)

    def watch(self, stop: Stop) -> Watch:
        """For the next of them."""
        before, fits = self.state.fit, max(self.state.fits, self.state.fit + 1)
        self.state = replace(self.state, step=Step.LEARNING, fit=before + 1, fits=fits)

        def told(share: float) -> bool:
            self.state = replace(self.state, done=round((before + share) / fits, 3))
            return stop()

        return told

    def judges(self) -> None:
        self.state = replace(self.state, step=Step.JUDGING)

    def registers(self) -> None:
        self.state = replace(self.state, step=Step.REGISTERING, done=1.0)

    def ended(self, now_ms: int, verdict: str, version: int | None = None) -> None:
        """A training did, whatever became of it."""
        last = Ended(as_datetime(now_ms), verdict, version)
        self.state = replace(
            self.state, step=Step.WAITING, new=0, why=None, began_at=None, last=last
        )
