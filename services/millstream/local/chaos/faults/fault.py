"""What every fault is: injected, held for a while, healed, and judged by what was expected."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from millstream.local.chaos.scene import Scene, Tier

BOTH: tuple[Tier, ...] = ("bare", "faust")
EVERY: tuple[Tier, ...] = (*BOTH, "reviews")


class Fault(ABC):
    """A new object for each time. Raises nothing but OperatorError or what the harness can't do
    without; a fault that finds nothing to break raises NothingToBreak and does not count."""

    kind: ClassVar[str]
    tiers: ClassVar[tuple[Tier, ...]] = BOTH
    hold_s: ClassVar[tuple[float, float]] = (0.0, 0.0)
    """Between inject and heal; drawn by the run's seed."""
    halts: ClassVar[bool] = False
    """Every worker must halt within ten seconds, and count nothing before it is healed."""
    starts_workers: ClassVar[bool] = False
    """It comes while they are away, and they can notice it only once they are up."""
    rolls_back: ClassVar[bool] = False
    """Fences may stand lower afterwards."""
    ends_episode: ClassVar[bool] = False
    """The deployment can't go on after it: it comes last, when all has been recounted."""
    breaks_broker: ClassVar[bool] = False
    """Which all lanes share: never while another lane can't do without it."""
    needs_broker: ClassVar[bool] = False
    """It is injected, or shows, by way of the broker."""

    @abstractmethod
    async def inject(self, scene: Scene) -> None: ...

    async def heal(self, scene: Scene) -> None:  # noqa: B027  many heal by themselves
        """Recovery is measured from its return."""


class NothingToBreak(Exception):  # noqa: N818
    """The fault does not apply just now."""
