"""How far the worker is behind, in records and in seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import REGISTRY

from millstream.counting.guard import Standing
from millstream.domain.log import Partition
from millstream.recommender import telemetry
from millstream.recommender.lag import Lag

NOW_MS = 1_770_000_000_000
ONE, TWO = ("t", 901), ("t", 902)


class Ends:
    def __init__(self) -> None:
        self.told: dict[Partition, int] | None = {ONE: 10, TWO: 20}

    async def ends(self, partitions: Iterable[Partition]) -> Mapping[Partition, int] | None:
        return None if self.told is None else {tp: self.told[tp] for tp in partitions}


def shown(name: str, partition: Partition) -> float | None:
    return REGISTRY.get_sample_value(
        f"millstream_consumer_lag_{name}", {"partition": str(partition[1])}
    )


async def test_records_that_wait_and_the_age_of_what_was_handled_last() -> None:
    standing = {ONE: Standing(10, ""), TWO: Standing(13, "")}
    lag = Lag(Ends(), lambda: standing, lambda: NOW_MS)
    assert await lag.look([ONE, TWO]) == {901: 0, 902: 7}
    assert (shown("messages", ONE), shown("seconds", ONE)) == (0, 0)
    assert (shown("messages", TWO), shown("seconds", TWO)) == (7, None), "nothing handled yet"
    telemetry.handled(902, NOW_MS - 2_500)
    await lag.look([ONE, TWO])
    assert shown("seconds", TWO) == 2.5
    standing[TWO] = Standing(20, "")
    await lag.look([ONE, TWO])
    assert (shown("messages", TWO), shown("seconds", TWO)) == (0, 0), "an idle topic is no lag"


async def test_a_partition_that_went_is_told_by_its_new_worker_alone() -> None:
    lag = Lag(Ends(), lambda: {ONE: Standing(4, ""), TWO: Standing(4, "")}, lambda: NOW_MS)
    telemetry.handled(901, NOW_MS)
    await lag.look([ONE, TWO])
    assert await lag.look([TWO]) == {902: 16}
    assert (shown("messages", ONE), shown("seconds", ONE)) == (None, None)
    assert telemetry.handled_log_ms(901) is None
    await lag.look([])


async def test_a_silent_broker_changes_nothing() -> None:
    log = Ends()
    lag = Lag(log, lambda: {ONE: Standing(4, "")}, lambda: NOW_MS)
    await lag.look([ONE])
    log.told = None
    assert await lag.look([ONE]) == {}
    assert shown("messages", ONE) == 6
    await lag.look([])
