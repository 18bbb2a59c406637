"""What a run found, as it stands in the JSON, in the journal and in the table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN_VIOLATIONS = 50
SUMMED = (
    "accepted",
    "reviews",
    "duplicates_sent",
    "poison_sent",
    "schedules",
    "lost",
    "doubled",
    "resurrected",
    "missed_halts",
    "conservation_residue",
    "episodes",
    "seconds",
)


@dataclass
class Report:
    """`faults` counts process-level ones; `schedules` the simulated. `conservation_residue` sums
    over episodes; `recoveries_s` are seconds from a fault's end to counting on all partitions."""

    seed: int
    accepted: int = 0
    reviews: int = 0
    """Judged and counted once."""
    duplicates_sent: int = 0
    poison_sent: int = 0
    faults_by_kind: Counter[str] = field(default_factory=Counter)
    schedules: int = 0
    lost: int = 0
    doubled: int = 0
    resurrected: int = 0
    missed_halts: int = 0
    violations: list[str] = field(default_factory=list)
    recoveries_s: list[float] = field(default_factory=list)
    conservation_residue: int = 0
    episodes: int = 0
    seconds: float = 0.0
    broker: str = ""
    redis: str = ""

    @property
    def faults(self) -> int:
        return self.faults_by_kind.total()

    @property
    def broken(self) -> bool:
        """Whether any promise was."""
        numbers = (self.lost, self.doubled, self.resurrected, self.missed_halts)
        return bool(self.violations) or any(numbers) or bool(self.conservation_residue)

    def add(self, other: Report) -> None:
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults_by_kind.update(other.faults_by_kind)
        self.violations += other.violations
        self.recoveries_s += other.recoveries_s
        self.broker, self.redis = other.broker or self.broker, other.redis or self.redis

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "accepted": self.accepted,
            "reviews": self.reviews,
            "duplicates_sent": self.duplicates_sent,
            "poison_sent": self.poison_sent,
            "faults": self.faults,
            "fault_kinds": len(self.faults_by_kind),
            "faults_by_kind": dict(sorted(self.faults_by_kind.items())),
            "schedules": self.schedules,
            "lost": self.lost,
            "doubled": self.doubled,
            "resurrected": self.resurrected,
            "missed_halts": self.missed_halts,
            "violations": len(self.violations),
            "violations_told": self.violations[:SHOWN_VIOLATIONS],
            "recovery_p50_s": percentile(self.recoveries_s, 0.50),
            "recovery_p95_s": percentile(self.recoveries_s, 0.95),
            "conservation_residue": self.conservation_residue,
            "episodes": self.episodes,
            "seconds": round(self.seconds, 1),
            "broker": self.broker,
            "redis": self.redis,
        }


def percentile(values: Iterable[float], share: float) -> float | None:
    """The nearest rank; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
