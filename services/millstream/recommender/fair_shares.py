"""Whose lists are given up while a worker is behind: those of tenants that ask for more than an
even part. Counts never are."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping

from millstream.domain.clock import Clock
from millstream.domain.events import EventType
from millstream.domain.identity import ShopperName
from millstream.recommender import telemetry
from millstream.recommender.draft import Due
from millstream.streaming.decode import Arrival

LEAST_SHARE, GROWTH = 0.125, 0.01
"""Of the lists that a portion asks for, so many go out however far behind; and by so much more with
each portion that is not behind, where one that is halves them (AIMD, as TCP finds its share of a
line)."""
LEAST = 16
"""Lists that every portion has room for: small ones are to have some for each tenant."""
LATELY = 20
"""Portions by which it is told who asks for more than an even part."""
SEVERAL = 2


def even_parts(asked: Mapping[str, int], room: int) -> dict[str, int]:
    """Max-min fair: who asks for less than an even part gets it all, and the rest is divided among
    the others. One at least for everyone who asks."""
    parts, left = {}, room
    for place, tenant in enumerate(sorted(asked, key=lambda name: (asked[name], name))):
        even = max(1, left // (len(asked) - place))
        parts[tenant] = min(asked[tenant], even)
        left = max(0, left - parts[tenant])
    return parts


class FairShares:
    """`behind_ms`: by log time, of a portion's newest event that is owed a list; 0: nothing is
    given up, nor while there is one tenant alone."""

    def __init__(self, behind_ms: int, clock: Clock) -> None:
        self._behind_ms = behind_ms
        self._clock = clock
        self._share = 1.0
        self._tenants: set[str] = set()
        self._lately: deque[Counter[str]] = deque(maxlen=LATELY)

    def kept(self, due: Due) -> Due:
        """Of a tenant that gives up some the newest stay; an erasure's tombstone always does."""
        if not due or not self._behind_ms:
            return due
        by_tenant: dict[str, list[tuple[ShopperName, Arrival]]] = defaultdict(list)
        for name, arrival in due.items():
            if arrival.event.type is not EventType.ERASE:
                by_tenant[name[0]].append((name, arrival))
        if len(self._tenants) < SEVERAL:
            self._tenants |= by_tenant.keys()
        self._adapt(max(arrival.log_ms for arrival in due.values()))
        asked = Counter({tenant: len(of) for tenant, of in by_tenant.items()})
        self._lately.append(asked)
        if len(self._tenants) < SEVERAL or asked.total() <= self._room(asked):
            return due
        parts = self._parts(asked)
        given_up = set[ShopperName]()
        for tenant, of in by_tenant.items():
            beyond = sorted(of, key=lambda one: one[1].log_ms)[: len(of) - parts[tenant]]
            given_up.update(name for name, _ in beyond)
            telemetry.GIVEN_UP.labels(tenant).inc(len(beyond))
        return {name: arrival for name, arrival in due.items() if name not in given_up}

    def _parts(self, asked: Counter[str]) -> dict[str, int]:
        """Who lately, this portion included, asked for no more than an even part gets all of it,
        also where the log has it in one portion and little else: that may be more than there is
        room for, by what was asked for so seldom."""
        lately = sum(self._lately, Counter[str]())
        even = even_parts(lately, self._room(lately))
        calm = {tenant: n for tenant, n in asked.items() if even[tenant] == lately[tenant]}
        left = max(0, self._room(asked) - sum(calm.values()))
        return calm | even_parts({name: asked[name] for name in asked.keys() - calm.keys()}, left)

    def _room(self, asked: Counter[str]) -> int:
        return max(LEAST, int(self._share * asked.total()))

    def _adapt(self, newest_log_ms: int) -> None:
        if self._clock() - newest_log_ms > self._behind_ms:
            self._share = max(LEAST_SHARE, self._share / 2)
        else:
            self._share = min(1.0, self._share + GROWTH)
