"""What the trainer says of itself; deploy/metrics.yaml is the closed list."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Counter, Gauge

from millstream.domain.models import ModelAnnouncement

TRAINER = Gauge(
    "millstream_trainer_info", "1: whose versions this trainer makes", ["tenant", "model"]
)
VERSIONS = Counter(
    "millstream_trainer_versions", "Versions by the gate's decision", ["model", "decision"]
)
TRAINING_SECONDS = Gauge(
    "millstream_trainer_training_seconds", "How long the last training took", ["model"]
)
TRAINED = Gauge("millstream_trainer_trained_seconds", "When the last training ended", ["model"])
LINES = Gauge(
    "millstream_trainer_lines",
    "Item lines, or reviews, that the last version was trained on",
    ["model"],
)
DRIFT = Gauge(
    "millstream_trainer_drift_psi",
    "Population stability index of the newest lines beside the data of the version in service",
    ["model", "input"],
)


def drifted(model: str, found: Mapping[str, float]) -> None:
    """As drift.drift told it; what it says nothing of any more is not told on."""
    DRIFT.remove_by_labels({"model": model})
    for name, value in found.items():
        DRIFT.labels(model, name).set(value)


def trained(told: ModelAnnouncement, lines: int, started_ms: int, now_ms: int) -> None:
    """A version was announced."""
    decision = "unknown" if told.decision is None else told.decision.value
    VERSIONS.labels(told.model, decision).inc()
    TRAINING_SECONDS.labels(told.model).set((now_ms - started_ms) / 1000)
    TRAINED.labels(told.model).set(now_ms / 1000)
    LINES.labels(told.model).set(lines)
