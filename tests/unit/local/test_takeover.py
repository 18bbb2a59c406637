"""How long a takeover took is told by lists that were made after it, not by those under way."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

import pytest

from millstream.domain.clock import as_datetime
from millstream.domain.errors import OperatorError
from millstream.domain.events import Event
from millstream.domain.lists import Origin, RecommendationList
from millstream.local.takeover import KILL_AFTER, Assassin

KILLED_MS = 1_770_000_000_000


class Worker:
    killed = 0

    def kill(self) -> None:
        self.killed += 1


def ranked(partition: int, after_ms: int) -> RecommendationList:
    """Published so long after the kill."""
    then = as_datetime(KILLED_MS) + timedelta(milliseconds=after_ms)
    return RecommendationList(
        recommendation_id="r",
        tenant="default",
        user="u",
        variant="default",
        items=(),
        model_version="0",
        settings_digest="",
        origin=Origin("t", partition, 1),
        event_time=then,
        log_time=then,
        published_at=then,
    )


def test_only_lists_published_after_the_kill_say_that_a_partition_is_back() -> None:
    worker = Worker()
    assassin = Assassin(worker, 2, lambda: KILLED_MS)
    event = cast(Event, None)
    for _ in range(KILL_AFTER - 1):
        assassin.before(event)
    assassin.listed(ranked(0, 1))  # nobody was killed yet
    assert worker.killed == 0
    assassin.before(event)
    assert worker.killed == 1

    assassin.listed(ranked(0, 1))
    assassin.listed(ranked(1, -5))  # was on its way when its worker died
    assassin.listed(ranked(1, 0))
    with pytest.raises(OperatorError, match="lists on 1 partitions"):
        assassin.takeover_s()
    assassin.listed(ranked(1, 1))
    assert assassin.takeover_s() >= 0
