"""What insights says of itself; deploy/metrics.yaml is the closed list of the metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

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
REVIEW_MODEL_VERSION = Gauge(
    "millstream_insights_review_model_version", "Version of the review model in service"
)
