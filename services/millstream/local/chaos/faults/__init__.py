"""The kinds of fault in force: a new one is a class in its file and a line in that file's list."""

from __future__ import annotations

from millstream.local.chaos.faults import (
    broker,
    lake,
    models,
    network,
    operator,
    rebuilding,
    redis,
    redis_refuses,
    reviews,
    trainer,
    worker,
)
from millstream.local.chaos.faults.fault import Fault, NothingToBreak
from millstream.local.chaos.scene import Tier

KINDS: tuple[type[Fault], ...] = (  # of deployments that count events
    *worker.KINDS,
    *redis.KINDS,
    *redis_refuses.KINDS,
    *broker.KINDS,
    *network.KINDS,
    *operator.KINDS,
    *models.KINDS,
    *trainer.KINDS,
    *lake.KINDS,
    *rebuilding.KINDS,
)
LAST: tuple[type[Fault], ...] = broker.LAST


def kinds_of(tier: Tier) -> list[type[Fault]]:
    return [kind for kind in (*KINDS, *reviews.KINDS) if tier in kind.tiers]


__all__ = ["KINDS", "LAST", "Fault", "NothingToBreak", "kinds_of"]
