"""What is relied on of Faust, on Apache Kafka: tests/contract/test_faust.py runs on the embedded
broker, which has no sessions of six seconds and does not say what is out of range."""

from __future__ import annotations

import pytest
from tests.contract.faust_program import Plan
from tests.contract.test_faust import RECORDS, committed, fill, positions_are_ours, read, run

from millstream.local.kafka import ApacheKafka

pytestmark = pytest.mark.live

SESSION_S = 6.0


def plan_of(kafka: ApacheKafka, prefix: str, first: int) -> Plan:
    servers = kafka.bootstrap_servers
    return Plan(servers, f"{prefix}g", f"{prefix}t", first, 10, RECORDS - 1, SESSION_S)


async def test_positions_are_ours_and_a_failure_ends_the_process(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    await positions_are_ours(plan_of(apache_kafka, prefix, 20))


async def test_a_long_look_for_the_position_costs_no_rebalance(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    """A callback of the group may not take longer than the session; ours is none."""
    plan = plan_of(apache_kafka, prefix, 20)
    plan.resume_s = SESSION_S + 2
    await fill(plan)
    told = await run(plan)
    assert len([line for line in told if "log_start" in line]) == 2, "assignment and seek back"
    assert read(told) == [*range(20, RECORDS), *range(10, RECORDS)]


async def test_a_blocked_main_loop_costs_no_rebalance(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    """The heartbeats are the consumer's own thread's."""
    plan = plan_of(apache_kafka, prefix, 20)
    plan.blocked_s = SESSION_S + 2
    await fill(plan)
    told = await run(plan)
    assert len([line for line in told if "log_start" in line]) == 2, "assignment and seek back"
    assert read(told) == [*range(20, RECORDS), *range(10, RECORDS)]


async def test_a_position_that_the_log_does_not_have_halts(
    apache_kafka: ApacheKafka, prefix: str
) -> None:
    plan = plan_of(apache_kafka, prefix, RECORDS + 40)
    await fill(plan)
    told = await run(plan)
    assert read(told) == [], "it was not sent to the beginning or the end"
    assert f"(partition 0 of {plan.topic} at {RECORDS + 40})" in told[-1]["stopped_by"]
    assert await committed(plan) is None
