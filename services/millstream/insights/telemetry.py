"""What insights says of itself; deploy/metrics.yaml is the closed list of the metrics."""

from __future__ import annotations

import contextlib

from prometheus_client import Counter, Gauge

from millstream.domain.log import Partition

FORECASTS = Gauge("millstream_insights_forecasts", "Items with a demand forecast")
FORECAST_AT = Gauge(
    "millstream_insights_forecast_timestamp_seconds", "When demand was forecast last"
)
REVIEWS = Counter(
    "millstream_insights_reviews", "Reviews by what they were judged to say", ["outcome"]
)
VERDICTS = Counter(
    "millstream_insights_verdicts", "Verdicts by what became of them in the count", ["verdict"]
)
RESIDUE = Gauge(
    "millstream_insights_residue",
    "Fates of verdicts in the ledger less offsets taken",
    ["partition"],
)
LAG_MESSAGES = Gauge(
    "millstream_insights_lag_messages",
    "Reviews not judged, or verdicts not counted yet",
    ["topic", "partition"],
)
LAG_SECONDS = Gauge(
    "millstream_insights_lag_seconds",
    "Age by log time of the record handled last, 0 where none waits",
    ["topic", "partition"],
)
REVIEW_MODEL_VERSION = Gauge(
    "millstream_insights_review_model_version", "Version of the review model in service"
)


def forget_partition(source: Partition) -> None:
    """Another process tells of it now."""
    for gauge in (LAG_MESSAGES, LAG_SECONDS):
        with contextlib.suppress(KeyError):
            gauge.remove(source[0], str(source[1]))
