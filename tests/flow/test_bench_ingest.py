"""The ingest benchmark at a small size: both sides count everything, and the object is whole."""

from __future__ import annotations

import asyncio

from rich.console import Console

from millstream.cli.bench import ROOT, benchmark
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey


def test_both_sides_count_every_event_and_are_compared(tansu: Tansu, valkey: Valkey) -> None:
    made, ingest = benchmark("made_events", ROOT), benchmark("ingest", ROOT)
    load = made.Load(events=3_000, shoppers=300, items=100, seed=3)
    kafka = KafkaEndpoint(
        tansu.bootstrap_servers, "a broker", idempotent_producer=False, session_timeout_s=10
    )
    result = asyncio.run(
        ingest.bench(kafka, RedisEndpoint(valkey.url, "a store"), load, 1, Console(stderr=True))
    )
    assert (result["broker"], result["redis"], result["events"]) == ("a broker", "a store", 3_000)
    faust, bare = result["faust_events_per_s"], result["bare_events_per_s"]
    assert faust > 0
    assert abs(result["ratio"] - faust / bare) < 1e-3
    assert 1 < result["bare_cpu_us_per_event"] < 10_000
