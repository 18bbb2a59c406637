"""The ingest benchmark at a small size: all sides count, and the object is whole. On Apache Kafka,
since a plain Faust agent takes half a minute to join a group of the embedded broker."""

from __future__ import annotations

import asyncio

import pytest
from rich.console import Console

from millstream.cli.bench import ROOT, benchmark
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.kafka import ApacheKafka
from millstream.local.valkey import Valkey


@pytest.mark.live
def test_all_sides_count_every_event_and_are_compared(
    apache_kafka: ApacheKafka, valkey: Valkey
) -> None:
    made, ingest = benchmark("made_events", ROOT), benchmark("ingest", ROOT)
    load = made.Load(events=3_000, shoppers=300, items=100, seed=3)
    kafka = KafkaEndpoint(apache_kafka.bootstrap_servers, "a broker")
    result = asyncio.run(
        ingest.bench(kafka, RedisEndpoint(valkey.url, "a store"), load, 1, Console(stderr=True))
    )
    assert (result["broker"], result["redis"], result["events"]) == ("a broker", "a store", 3_000)
    faust, bare = result["faust_events_per_s"], result["bare_events_per_s"]
    assert faust > 0
    assert abs(result["ratio"] - faust / bare) < 1e-3
    assert 1 < result["bare_cpu_us_per_event"] < 10_000
    agent = result["per_event_agent_events_per_s"]
    assert agent > 0
    assert result["times_per_event_agent"] == pytest.approx(faust / agent, rel=0.01)
