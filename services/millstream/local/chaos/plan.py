"""What an episode is to play, and on which servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from millstream.local.chaos.deck import Deck
from millstream.local.chaos.faults import Fault
from millstream.local.chaos.fork_server import ForkServer
from millstream.local.chaos.scene import Tier
from millstream.local.chaos.servers import BreakableValkey, ProxiedKafka

Told = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """The episode ends when `seconds` are over, or when `deck` has no kind that the tier plays.
    `last`: the fault after the reckoning."""

    tier: Tier
    lane: int
    seed: int
    seconds: float
    rate: float
    """Records a second."""
    deck: Deck
    last: type[Fault] | None
    library: str
    without: str | None = None
    logs: Path | None = None
    """Where the workers' logs go if a promise was broken, or a recovery was slow."""


@dataclass(frozen=True)
class Servers:
    """Broker and fork server are shared by all lanes."""

    kafka: ProxiedKafka
    forks: ForkServer
    valkey: BreakableValkey
    home: Path
    """Of this episode alone."""
