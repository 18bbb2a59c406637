"""The kinds of fault in force: a new one is a class in its file and a line in that file's list."""

from __future__ import annotations

from millstream.local.chaos.faults import broker, models, network, operator, redis, worker
from millstream.local.chaos.faults.fault import Fault, NothingToBreak
from millstream.local.chaos.scene import Tier

KINDS: tuple[type[Fault], ...] = (
    *worker.KINDS,
    *redis.KINDS,
    *broker.KINDS,
    *network.KINDS,
    *operator.KINDS,
    *models.KINDS,
)
LAST: tuple[type[Fault], ...] = broker.LAST


def kinds_of(tier: Tier) -> list[type[Fault]]:
    return [kind for kind in KINDS if tier in kind.tiers]


__all__ = ["KINDS", "LAST", "Fault", "NothingToBreak", "kinds_of"]
