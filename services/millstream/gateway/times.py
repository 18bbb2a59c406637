"""A histogram of seconds that costs a request little.

The library's takes two locks and looks at one bucket after the other: 0.8 us each time, and twice
a request; this one 0.1 us (timeit). It is observed by the event loop alone."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import inf

from prometheus_client import REGISTRY
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, inf)


class Times:
    """Of one value of the label."""

    __slots__ = ("counts", "total_s")

    def __init__(self) -> None:
        self.counts = [0] * len(BOUNDS_S)
        self.total_s = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds


class Seconds(Collector):
    """Asked, and told in a registry, as the library's Histogram with one label."""

    _type = "histogram"

    def __init__(
        self, name: str, documentation: str, label: str, registry: CollectorRegistry = REGISTRY
    ) -> None:
        self._name, self._documentation, self._labelnames = name, documentation, (label,)
        self._times: dict[str, Times] = defaultdict(Times)
        registry.register(self)

    def labels(self, value: str) -> Times:
        return self._times[value]

    def counted(self, value: str) -> Mapping[float, int]:
        """By bound in seconds how many took so long at most, and longer than the bound before."""
        times = self._times.get(value)
        return {} if times is None else dict(zip(BOUNDS_S, times.counts, strict=True))

    def describe(self) -> Iterable[HistogramMetricFamily]:
        yield HistogramMetricFamily(self._name, self._documentation, labels=self._labelnames)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        bounds = [*map(str, BOUNDS_S[:-1]), "+Inf"]
        for told in self.describe():
            for value, times in self._times.items():
                up_to = list(zip(bounds, accumulate(times.counts), strict=True))
                told.add_metric([value], up_to, times.total_s)
            yield told
