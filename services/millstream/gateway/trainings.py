"""How the next version of each model stands, as its trainer told it last."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from millstream.domain.clock import Clock
from millstream.domain.training import TrainingState
from millstream.stores.training_states import TrainingStates


class Training(Struct, frozen=True):
    """`told_s_ago`: by this gateway's clock. A trainer at work tells of itself at least every ten
    seconds."""

    model: str
    told_at: datetime
    told_s_ago: float
    state: TrainingState


class Trainings:
    """Raises what Redis raises."""

    def __init__(self, states: TrainingStates, clock: Clock) -> None:
        self._states = states
        self._clock = clock

    async def of(self, tenant: str) -> tuple[Training, ...]:
        """By model. None of a trainer that has never told of itself."""
        now_s = self._clock() / 1000
        found = await self._states.of(tenant)
        return tuple(
            Training(model, told.at, max(0.0, round(now_s - told.at.timestamp(), 1)), told.state)
            for model, told in sorted(found.items())
        )
