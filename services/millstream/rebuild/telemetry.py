"""What a rebuild says of itself; deploy/metrics.yaml is the closed list."""

from __future__ import annotations

from prometheus_client import Gauge

OFFSETS = Gauge("millstream_rebuild_offsets", "Offsets of log and lake, by how far", ["state"])


def progress(done: int, total: int) -> None:
    OFFSETS.labels("counted").set(done)
    OFFSETS.labels("total").set(total)
