"""Which fault comes next: every kind before any comes again, over all lanes together."""

from __future__ import annotations

import random
from collections.abc import Sequence

from millstream.local.chaos.faults import Fault
from millstream.local.chaos.scene import Tier

PATIENCE = 6
"""How many others come before a kind that did not apply is tried again."""


class Deck:
    """Shuffled packs of `kinds`, one under the other."""

    def __init__(self, kinds: Sequence[type[Fault]], rng: random.Random) -> None:
        self._kinds = list(kinds)
        self._rng = rng
        self._pile: list[type[Fault]] = []

    def draw(self, tier: Tier) -> type[Fault] | None:
        """The next one that the tier plays; None where it plays none of the kinds."""
        if not any(tier in kind.tiers for kind in self._kinds):
            return None
        while True:
            for place, kind in enumerate(self._pile):
                if tier in kind.tiers:
                    return self._pile.pop(place)
            self._add_pack()

    def put_back(self, kind: type[Fault]) -> None:
        """It was drawn and did not apply."""
        if len(self._pile) < PATIENCE:
            self._add_pack()
        self._pile.insert(PATIENCE, kind)

    def _add_pack(self) -> None:
        pack = list(self._kinds)
        self._rng.shuffle(pack)
        self._pile += pack
