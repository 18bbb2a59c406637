"""What a gateway says of itself: every metric, once. No label holds a tenant, a key or an id."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("millstream_gateway_requests", "Requests answered", ["route", "status"])
SECONDS = Histogram(
    "millstream_gateway_request_seconds",
    "From a request's head to its answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
EVENTS = Counter("millstream_gateway_events", "Events by verdict", ["verdict"])
REVIEWS = Counter("millstream_gateway_reviews", "Reviews by verdict", ["verdict"])
LISTS = Counter("millstream_gateway_lists", "Lists by where they came from", ["origin"])
DELIVERIES = Counter("millstream_gateway_deliveries", "Records sent to Kafka", ["outcome"])
UNDER_WAY = Gauge("millstream_gateway_records_under_way", "Sent, not acknowledged yet")
READY = Gauge("millstream_gateway_ready", "1 while Kafka and Redis answer", ["part"])


def buckets_of(route: str) -> list[tuple[float, float]]:
    """How many requests of a route took up to so many seconds, for each bound that SECONDS has."""
    return [
        (float(sample.labels["le"]), sample.value)
        for metric in SECONDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_bucket") and sample.labels["route"] == route
    ]
