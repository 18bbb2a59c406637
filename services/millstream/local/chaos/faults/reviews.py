"""What befalls insights alone; what befalls its servers and processes is in the other files."""

from __future__ import annotations

from millstream.local.chaos.faults.fault import Fault
from millstream.local.chaos.faults.worker import killed_at
from millstream.local.chaos.reviews.model import swap_model
from millstream.local.chaos.scene import Scene, Tier

REVIEWS_ONLY: tuple[Tier, ...] = ("reviews",)
POINTS = ("before-verdicts", "after-verdicts", "before-verdict-call", "after-verdict-call")


class ReviewModelSwapped(Fault):
    """What is judged again says otherwise: the first verdict in the log is to count."""

    kind = "review-model-swapped"
    tiers = REVIEWS_ONLY

    async def inject(self, scene: Scene) -> None:
        await swap_model(scene.settings)


KINDS: tuple[type[Fault], ...] = (
    ReviewModelSwapped,
    *(killed_at(point, tiers=REVIEWS_ONLY) for point in POINTS),
)
