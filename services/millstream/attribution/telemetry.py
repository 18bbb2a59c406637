"""What attribution says of itself; deploy/metrics.yaml is the closed list of the metrics."""

from __future__ import annotations

from typing import Any

from prometheus_client import Gauge

from millstream.attribution.order import Waiting
from millstream.streaming.telemetry import AT_WORK

LAG_MESSAGES = Gauge(
    "millstream_attribution_lag_messages", "Records not counted yet", ["topic", "partition"]
)
LAG_SECONDS = Gauge(
    "millstream_attribution_lag_seconds",
    "Age by log time of the oldest record that waits, 0 where none does",
    ["topic", "partition"],
)


def started() -> None:
    AT_WORK.set(1)


def stands(topic: str, partition: int, waiting: Waiting[Any], now_ms: int) -> None:
    LAG_MESSAGES.labels(topic, str(partition)).set(waiting.behind)
    age_ms = waiting.age_ms(now_ms)
    if age_ms is not None:
        LAG_SECONDS.labels(topic, str(partition)).set(age_ms / 1000)
