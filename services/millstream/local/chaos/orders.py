"""What a run is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from millstream.local.chaos.mutants import SOURCE, without_check
from millstream.local.chaos.scene import Tier

RATE = 2_800.0
"""Events a second over all lanes, while nothing is broken."""
REVIEW_RATE = 40.0
"""Reviews a second, of a lane that plays them."""
LANES = 4
SCHEDULES = 300
TIERS: tuple[Tier, ...] = ("faust", "reviews", "bare")


@dataclass(frozen=True)
class Orders:
    """`only`: these kinds of fault, by name; empty: all. `without`: a name of mutants.CHECKS.
    `schedules`: simulated beside the lanes; fewer where the time is over before."""

    seed: int
    minutes: float
    without: str | None = None
    tiers: tuple[Tier, ...] = TIERS
    only: Sequence[str] = ()
    lanes: int = LANES
    rate: float = RATE
    schedules: int = SCHEDULES
    logs: Path | None = None

    @property
    def counts_events(self) -> bool:
        return self.tiers != ("reviews",)

    def rate_of(self, tier: Tier) -> float:
        """Of one lane."""
        if tier == "reviews":
            return REVIEW_RATE
        return self.rate / sum(one != "reviews" for one in self.tiers_of_lanes())

    @property
    def library(self) -> str:
        return SOURCE if self.without is None else without_check(self.without)

    def tiers_of_lanes(self) -> list[Tier]:
        """Of the first lanes each plays its tier; the others the last, whose recovery costs no
        session of a group."""
        if self.without is not None:
            return ["bare" if "bare" in self.tiers else self.tiers[0]]
        return [self.tiers[min(lane, len(self.tiers) - 1)] for lane in range(self.lanes)]
