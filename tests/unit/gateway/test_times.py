"""A histogram that is told as the library tells its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from millstream.gateway.times import BOUNDS_S, Seconds

TOOK_S = [0.0, 0.0009, 0.001, 0.0011, 0.3, 0.3, 60.0, 61.0]


def told(registry: CollectorRegistry) -> list[str]:
    """But for when each began, which only the library's tells."""
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


def test_it_tells_what_the_library_would() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    seconds = Seconds("took_seconds", "how long", "route", ours)
    bounds = [bound for bound in BOUNDS_S if bound != float("inf")]
    library = Histogram("took_seconds", "how long", ["route"], registry=theirs, buckets=bounds)
    assert told(ours) == told(theirs)
    for route in ("a", 'b"\n'):
        for took_s in TOOK_S:
            seconds.labels(route).observe(took_s)
            library.labels(route).observe(took_s)
    assert told(ours) == told(theirs)
    assert "took_seconds_bucket" in "".join(told(ours))


def test_each_is_counted_once_under_its_bound() -> None:
    seconds = Seconds("more_seconds", "how long", "route", CollectorRegistry())
    assert seconds.counted("a") == {}
    for took_s in TOOK_S:
        seconds.labels("a").observe(took_s)
    counted = {bound: n for bound, n in seconds.counted("a").items() if n}
    assert counted == {0.001: 3, 0.0025: 1, 0.5: 2, 60.0: 1, float("inf"): 1}
