"""What every service that reads the log says of itself."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

AT_WORK = Gauge("millstream_at_work", "1 once the service has begun its work; its readiness")
SERVICE = Gauge(
    "millstream_service_info", "1: which service, of which release", ["service", "version"]
)
DEAD_LETTERS = Counter("millstream_dead_letters", "Dead letters that are durable", ["reason"])
