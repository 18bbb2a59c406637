from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import REGISTRY
from tests.builders import NOON_MS

from millstream.domain.log import Partition
from millstream.insights.reviews.lag import Lag, Reached

REVIEWS, VERDICTS = ("lag.reviews", 3), ("lag.verdicts", 3)


class Log:
    """As a broker whose ends a test sets; None: it is silent."""

    def __init__(self) -> None:
        self.at: dict[Partition, int] | None = {REVIEWS: 10, VERDICTS: 10}

    async def ends(self, partitions: Iterable[Partition]) -> Mapping[Partition, int] | None:
        return None if self.at is None else {tp: self.at[tp] for tp in partitions}


def told(source: Partition) -> tuple[float | None, float | None]:
    """Records, seconds."""
    labels = {"topic": source[0], "partition": str(source[1])}
    records, seconds = (
        REGISTRY.get_sample_value(f"millstream_insights_lag_{what}", labels)
        for what in ("messages", "seconds")
    )
    return records, seconds


async def test_lag_is_told_by_topic_in_records_and_by_the_age_of_what_was_handled_last() -> None:
    log, now = Log(), NOON_MS
    reached = {REVIEWS: Reached(4, NOON_MS - 9_000), VERDICTS: Reached(10, NOON_MS - 90_000)}
    lag = Lag(log, lambda: reached, lambda: now)
    await lag.look()
    assert told(REVIEWS) == (6, 9.0)
    assert told(VERDICTS) == (0, 0.0), "none waits, however old the last one is"
    log.at = None
    reached[REVIEWS] = Reached(10, NOON_MS)
    await lag.look()
    assert told(REVIEWS) == (6, 9.0), "a silent broker tells nothing"
    log.at = {REVIEWS: 10, VERDICTS: 10}
    del reached[VERDICTS]
    await lag.look()
    assert told(REVIEWS) == (0, 0.0)
    assert told(VERDICTS) == (None, None), "another process's to tell"


async def test_what_waits_where_nothing_was_handled_is_timed_from_when_it_was_seen() -> None:
    log, now = Log(), NOON_MS
    lag = Lag(log, lambda: {REVIEWS: Reached(4, None)}, lambda: now)
    await lag.look()
    assert told(REVIEWS) == (6, 0.0)
    now += 30_000
    await lag.look()
    assert told(REVIEWS) == (6, 30.0)
    log.at = {REVIEWS: 4}
    await lag.look()
    assert told(REVIEWS) == (0, 0.0)
    log.at = {REVIEWS: 5}
    await lag.look()
    assert told(REVIEWS) == (1, 0.0), "it waits anew"
