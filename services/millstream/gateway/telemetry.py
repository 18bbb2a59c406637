"""What a gateway says of itself: every metric, once. No label holds a key or an id."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("millstream_gateway_requests", "Requests answered", ["route", "status"])
_EDGES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
SECONDS = Histogram(
    "millstream_gateway_request_seconds",
    "From a request's head to its answer",
    ["route"],
    buckets=_EDGES_S,
)
LIST_SECONDS = Histogram(
    "millstream_gateway_list_seconds",
    "The same of stored lists, by whose they are",
    ["tenant"],
    buckets=_EDGES_S,
)
EVENTS = Counter("millstream_gateway_events", "Events by verdict", ["verdict"])
REVIEWS = Counter("millstream_gateway_reviews", "Reviews by verdict", ["verdict"])
LISTS = Counter("millstream_gateway_lists", "Lists by where they came from", ["origin"])
NOT_REMADE = Counter(
    "millstream_gateway_lists_not_remade",
    "Lists from before the rules of now that failed to be made anew and served as they were",
)
DELIVERIES = Counter("millstream_gateway_deliveries", "Records sent to Kafka", ["outcome"])
UNDER_WAY = Gauge("millstream_gateway_records_under_way", "Sent, not acknowledged yet")
READY = Gauge("millstream_gateway_ready", "1 while Kafka and Redis answer", ["part"])


def buckets_of(tenant: str) -> list[tuple[float, float]]:
    """How many stored lists of a tenant took up to so many seconds, for each bound that
    LIST_SECONDS has."""
    return [
        (float(sample.labels["le"]), sample.value)
        for metric in LIST_SECONDS.collect()
        for sample in metric.samples
        if sample.name.endswith("_bucket") and sample.labels["tenant"] == tenant
    ]
