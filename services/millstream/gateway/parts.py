"""What the routes work with."""

from __future__ import annotations

from dataclasses import dataclass

from millstream.domain.clock import Clock
from millstream.gateway.announcing import Announcing
from millstream.gateway.asking import Asking
from millstream.gateway.browsing import Browsing
from millstream.gateway.callers import Callers
from millstream.gateway.delivery import Delivery
from millstream.gateway.erasing import Erasing
from millstream.gateway.experiments import Experiments
from millstream.gateway.kpis import Kpis
from millstream.gateway.letters import Letters
from millstream.gateway.lists import Lists
from millstream.gateway.live_feed import LiveFeed
from millstream.gateway.moves import Moves
from millstream.gateway.previews import Previews
from millstream.gateway.rates import Rates
from millstream.gateway.readiness import Readiness
from millstream.gateway.reverse import Reverse
from millstream.gateway.rules import Rules
from millstream.gateway.searching import Searching
from millstream.gateway.shop_clock import ReplayClock
from millstream.gateway.trainings import Trainings
from millstream.gateway.turns import Turns
from millstream.gateway.versions import Versions
from millstream.gateway.watching import Watching
from millstream.stores.tenant_ledger import TenantLedger


@dataclass(frozen=True, slots=True)
class Topics:
    """Full names."""

    events: str
    catalogue: str
    reviews: str


@dataclass(frozen=True, slots=True)
class Parts:
    topics: Topics
    callers: Callers
    rates: Rates
    turns: Turns
    delivery: Delivery
    reverse: Reverse | None
    lists: Lists
    letters: Letters
    erasing: Erasing
    versions: Versions
    trainings: Trainings
    announcing: Announcing
    moves: Moves
    rules: Rules
    experiments: Experiments
    kpis: Kpis
    readiness: Readiness
    browsing: Browsing
    previews: Previews
    searching: Searching
    asking: Asking
    feed: LiveFeed
    watching: Watching
    ledger: TenantLedger
    clock: Clock
    """Of the shop: `replay` where a recording is replayed, else the wall's."""
    replay: ReplayClock | None
