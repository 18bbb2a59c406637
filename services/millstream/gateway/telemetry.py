"""What a gateway says of itself: every metric, once. No label holds a key or an id."""

from prometheus_client import Counter, Gauge

from millstream.gateway.times import Seconds

REQUESTS = Counter("millstream_gateway_requests", "Requests answered", ["route", "status"])
SECONDS = Seconds(
    "millstream_gateway_request_seconds", "From a request's head to its answer", "route"
)
LIST_SECONDS = Seconds(
    "millstream_gateway_list_seconds", "The same of stored lists, by whose they are", "tenant"
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
