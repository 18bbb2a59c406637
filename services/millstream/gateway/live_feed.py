"""What happens in the events topic right now, for those who look at the live page.

Judged from the record alone and from what the feed itself has seen: a second copy of an event that
came before anyone looked is not known as one. The exact numbers are the ledger's
(stores/tenant_ledger.py)."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from itertools import count

from msgspec import Struct

from millstream.domain.acceptance import is_late
from millstream.domain.decode import decode
from millstream.domain.errors import Reason, Refused
from millstream.domain.log import LogRecord
from millstream.domain.replayed import ORIGIN

KEPT = 200
"""Events of a tenant that can still be asked for."""
REMEMBERED = 20_000
"""Event ids, of all tenants, by which a second copy is told."""
SHOWN_ITEMS = 3


class Fate(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    LATE = "late"
    DEAD_LETTERED = "dead_lettered"
    REPLAYED = "replayed"
    """A dead letter that an operator sent again: it counts once, if its first copy did not."""


def is_replayed(record: LogRecord) -> bool:
    return any(name == ORIGIN for name, _ in record.headers)


class LiveEvent(Struct, frozen=True, omit_defaults=True):
    """`n` grows by one with each event of the tenant. `shopper`: as it stands in the topic.
    `items`: the first of `item_count`. `reason`: of a refused one."""

    n: int
    fate: Fate
    log_ms: int
    partition: int
    offset: int
    type: str | None = None
    shopper: str | None = None
    items: tuple[str, ...] = ()
    item_count: int = 0
    reason: Reason | None = None


class LiveFeed:
    """`tenants`: whose events are looked into; of others nothing is read but the key."""

    def __init__(self, tenants: Callable[[], Collection[str]]) -> None:
        self._tenants = tenants
        self._numbers: dict[str, Iterator[int]] = defaultdict(lambda: count(1))
        self._events: dict[str, deque[LiveEvent]] = defaultdict(lambda: deque(maxlen=KEPT))
        self._fates: dict[str, Counter[str]] = defaultdict(Counter)
        self._seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()

    def take(self, record: LogRecord) -> None:
        tenant = (record.key or b"").partition(b":")[0].decode(errors="replace")
        if tenant not in self._tenants():
            return
        event = self._judged(tenant, record)
        self._events[tenant].append(event)
        self._fates[tenant][event.fate] += 1

    def after(self, tenant: str, n: int) -> list[LiveEvent]:
        """The newer ones than `n`, the newest last; at most KEPT."""
        return [event for event in self._events.get(tenant, ()) if event.n > n]

    def fates(self, tenant: str) -> dict[Fate, int]:
        """Of all events since the feed began."""
        return {fate: self._fates[tenant][fate] for fate in Fate}

    def _judged(self, tenant: str, record: LogRecord) -> LiveEvent:
        number = next(self._numbers[tenant])
        place = (record.log_ms, record.partition, record.offset)
        try:
            event = decode(record.value, record.headers, record.log_ms)
        except Refused as refused:
            return LiveEvent(number, Fate.DEAD_LETTERED, *place, reason=refused.reason)
        shopper, fate = event.shopper, Fate.ACCEPTED
        if is_replayed(record):
            fate = Fate.REPLAYED
        elif is_late(event, record.log_ms):
            fate = Fate.LATE
        elif self._is_known((tenant, shopper, event.event_id)):
            fate = Fate.DUPLICATE
        items = tuple(line.item_id for line in event.items[:SHOWN_ITEMS])
        return LiveEvent(
            number,
            fate,
            *place,
            str(event.type),
            shopper,
            items,
            len(event.items),
            Reason.LATE if fate is Fate.LATE else None,
        )

    def _is_known(self, identity: tuple[str, str, str]) -> bool:
        if identity in self._seen:
            return True
        self._seen[identity] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return False
