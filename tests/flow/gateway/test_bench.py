"""`bench gateway` at a tiny size: what it prints is whole and fits together. How fast it is on a
busy machine is not the question here."""

from __future__ import annotations

import pytest
from rich.console import Console

from millstream.cli.bench import ROOT, benchmark
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey


def test_the_gateway_and_the_bare_server_answer_alike(tansu: Tansu, valkey: Valkey) -> None:
    bench = benchmark("gateway", ROOT)
    size = bench.Size(shoppers=50, connections=2, seconds=0.5, rounds=1)
    kafka = KafkaEndpoint(tansu.bootstrap_servers, "a broker", False, 10)
    result = bench.bench(kafka, RedisEndpoint(valkey.url, "a store"), size, Console(stderr=True))
    assert (result["broker"], result["redis"]) == ("a broker", "a store")
    assert result["cpus"] > 0
    assert result["requests_per_s"] > 0
    ratio = result["requests_per_s"] / result["bare_requests_per_s"]
    assert result["ratio"] == pytest.approx(ratio, abs=2e-3)
    assert result["p99_ms"] >= result["p50_ms"] > 0
