"""What insights says of itself; deploy/metrics.yaml is the closed list of the metrics."""

from __future__ import annotations

from prometheus_client import Gauge

FORECASTS = Gauge("millstream_insights_forecasts", "Items with a demand forecast")
FORECAST_AT = Gauge(
    "millstream_insights_forecast_timestamp_seconds", "When demand was forecast last"
)
