"""What the trainer says of itself; deploy/metrics.yaml is the closed list."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from millstream.domain.models import ModelAnnouncement

VERSIONS = Counter("millstream_trainer_versions", "Versions by the gate's decision", ["decision"])
TRAINING_SECONDS = Gauge("millstream_trainer_training_seconds", "How long the last training took")
TRAINED = Gauge("millstream_trainer_trained_seconds", "When the last training ended")
LINES = Gauge("millstream_trainer_lines", "Item lines that the last version was trained on")


def trained(told: ModelAnnouncement, lines: int, started_ms: int, now_ms: int) -> None:
    """A version was announced."""
    VERSIONS.labels("unknown" if told.decision is None else told.decision.value).inc()
    TRAINING_SECONDS.set((now_ms - started_ms) / 1000)
    TRAINED.set(now_ms / 1000)
    LINES.set(lines)
