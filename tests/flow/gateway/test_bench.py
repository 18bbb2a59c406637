"""`bench gateway` and `bench gateway-flood` at a tiny size: what they print is whole and fits
together. How fast it is on a busy machine is not the question here."""

from __future__ import annotations

import pytest
from rich.console import Console

from millstream.cli.bench import ROOT, benchmark
from millstream.gateway.intake import MAX_BATCH
from millstream.gateway.rates import BURST_S
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


def test_a_flood_is_let_in_at_its_rate_and_the_quiet_one_is_answered(
    tansu: Tansu, valkey: Valkey
) -> None:
    """docs/tenants.md states 15 times, of more answers; others are at work here."""
    bench = benchmark("gateway_flood", ROOT)
    size = bench.Size(50, 2, 10.0, 3.0, noisy_connections=4, events_per_second=1_000)
    kafka = KafkaEndpoint(tansu.bootstrap_servers, "a broker", False, 10)
    result = bench.bench(kafka, RedisEndpoint(valkey.url, "a store"), size, Console(stderr=True))
    assert (result["broker"], result["redis"]) == ("a broker", "a store")
    assert 0 < result["noisy_events"] <= 1_000 * (result["noisy_seconds"] + BURST_S) + MAX_BATCH
    assert result["noisy_refused"] > 0
    assert result["noisy_unavailable"] == 0
    for name in ("quiet", "beside_noisy"):
        assert 0 < result[f"{name}_p50_ms"] <= result[f"{name}_p99_ms"], name
    assert result["ratio"] < 100
