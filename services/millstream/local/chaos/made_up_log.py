"""A log with everything that counting has to survive, and the workers that read it badly.

Times step by hours, so that one log spans the dedupe window several times over. The oracle below
knows the log alone: no slot, no fence, no range."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from millstream.domain.acceptance import HORIZON_MS, is_late
from millstream.domain.clock import as_datetime
from millstream.domain.errors import Reason
from millstream.domain.events import TYPE_INDEX, Event, EventType, Line
from millstream.domain.identity import ShopperName
from millstream.features.replayed import ReplayedShopper
from millstream.streaming.decode import Arrival, Decoded, Letter

NOON_MS = 1_790_000_000_000
"""A moment in 2026 at which the log begins."""
TOPIC = "t.shop.events.v1"
TENANTS = ("default", "shop-2")
HOUR_MS = 3_600_000
KINDS = (EventType.VIEW_ITEM, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.REFUND)
ITEMS = ("a", "b|c", "d:e", "ü", "f g")
VISITORS = ("v-1", "é" * 9, "~", None, "v-2", "a pseudonym of 22 chars", None)
"""Anonymous ids beside a user's: more than a shopper's links have room for."""

Place = Arrival | Letter


@dataclass(frozen=True)
class Log:
    """`partitions[p][offset]`. Shoppers in `crossing` have copies outside their own partition, so
    what order makes of them (decay, recent items) is not told by the log alone; those in `erased`
    have asked to be forgotten."""

    partitions: list[list[Place]]
    crossing: set[ShopperName]
    erased: set[ShopperName]

    def range(self, partition: int, start: int, to: int) -> Decoded:
        part = self.partitions[partition][start:to]
        return Decoded(
            TOPIC,
            partition,
            start,
            to,
            max(x.log_ms for x in part),
            f"{to - 1}:0",
            [x for x in part if isinstance(x, Arrival)],
            [x for x in part if isinstance(x, Letter)],
        )

    def shoppers(self) -> set[ShopperName]:
        return {name_of(x.event) for x in self.arrivals()}

    def arrivals(self) -> Iterator[Arrival]:
        return (x for part in self.partitions for x in part if isinstance(x, Arrival))


def name_of(what: Event) -> ShopperName:
    return what.tenant, what.shopper


@dataclass
class _Writing:
    rng: random.Random
    now: list[int]
    partitions: list[list[Place]]
    due: list[list[tuple[int, Event]]]  # per partition: copies still to be written, by time
    crossing: set[ShopperName] = field(default_factory=set)
    erased: set[ShopperName] = field(default_factory=set)

    def put(self, partition: int, what: Event, log_ms: int) -> None:
        """Log time never falls within a partition."""
        offset = len(self.partitions[partition])
        log_ms = max([log_ms, *(x.log_ms for x in self.partitions[partition][-1:])])
        if is_late(what, log_ms):
            letter = Letter(offset, log_ms, Reason.LATE, what.tenant)
            self.partitions[partition].append(letter)
        else:
            self.partitions[partition].append(Arrival(offset, log_ms, what, (), partition))

    def flush(self, partition: int) -> None:
        waiting = [x for x in self.due[partition] if x[0] <= self.now[partition]]
        for log_ms, what in sorted(waiting, key=lambda x: x[0]):
            self.put(partition, what, log_ms)
        self.due[partition] = [x for x in self.due[partition] if x[0] > self.now[partition]]


def make_log(rng: random.Random, partitions: int = 3, records: int = 40) -> Log:
    """Every shopper lives on one partition; retries come up to 26 h later, also elsewhere."""
    write = _Writing(
        rng,
        now=[NOON_MS] * partitions,
        partitions=[[] for _ in range(partitions)],
        due=[[] for _ in range(partitions)],
    )
    for number in range(partitions * records):
        partition = number % partitions
        write.now[partition] += rng.randrange(2000, 6 * HOUR_MS)
        write.flush(partition)
        _write_one(write, partition, f"e{number}")
    for partition in range(partitions):
        write.now[partition] += 2 * HORIZON_MS
        write.flush(partition)
    return Log(write.partitions, write.crossing, write.erased)


def _write_one(write: _Writing, home: int, event_id: str) -> None:
    rng, log_ms = write.rng, write.now[home]
    if rng.random() < 0.06:
        offset = len(write.partitions[home])
        whose = rng.choice((*TENANTS, "nobody-known", None))
        write.partitions[home].append(Letter(offset, log_ms, Reason.UNDECODABLE, whose))
        return
    user = f"u{home}-{rng.randrange(3)}"
    tenant = "default" if user != "u1-0" else "shop-2"
    kind = rng.choice(KINDS)
    items = [rng.choice(ITEMS) for _ in range(1 if kind is EventType.VIEW_ITEM else 3)]
    if user.endswith("-2"):
        items = [f"x{item}" for item in items]  # what erasure leaves behind is looked at apart
        if rng.random() < 0.15:
            kind, items = EventType.ERASE, []
    # A shop's clock may be ahead; an age of more than a day is late.
    age = rng.choice((-1000, 0, 1000, 5 * HOUR_MS, 30 * HOUR_MS))
    if kind is EventType.ERASE:
        age = rng.choice((-1000, 0))
    made = Event(
        event_id=event_id,
        type=kind,
        time=as_datetime(log_ms - age),
        tenant=tenant,
        user_id=user,
        anonymous_id=VISITORS[int(event_id[1:]) % len(VISITORS)],
        items=tuple(map(Line, items)),
    )
    if kind is EventType.ERASE:
        write.erased.add(name_of(made))
    write.put(home, made, log_ms)
    _retry(write, home, made, log_ms)


def _retry(write: _Writing, home: int, made: Event, log_ms: int) -> None:
    rng = write.rng
    while rng.random() < 0.4:
        later = log_ms + rng.choice((1000, HOUR_MS, 12 * HOUR_MS, 26 * HOUR_MS))
        other = rng.randrange(len(write.partitions))
        partition = home if made.type is EventType.ERASE else other
        write.due[partition].append((later, made))
        if partition != home:
            write.crossing.add(name_of(made))


@dataclass
class Oracle:
    """What the counts must be. `items` leaves out what shoppers in `Log.erased` touched.
    `records`: of each tenant; `accepted`: of those the ones that count."""

    shoppers: dict[ShopperName, ReplayedShopper]
    items: Counter[tuple[str, str]]  # (tenant, "<type index>|<item>")
    records: Counter[str]
    accepted: Counter[str]


def recount(log: Log) -> Oracle:
    """Home partitions first, since there each shopper's order is the true one."""
    shoppers: dict[ShopperName, ReplayedShopper] = defaultdict(ReplayedShopper)
    seen: set[tuple[ShopperName, str]] = set()
    marks: dict[ShopperName, int] = {}
    items: Counter[tuple[str, str]] = Counter()
    for at_home in (True, False):
        for arrival in _in_order(log, at_home):
            what, name = arrival.event, name_of(arrival.event)
            if (name, what.event_id) in seen:
                continue
            if min(arrival.log_ms, what.time_ms) <= marks.get(name, -1):
                continue
            seen.add((name, what.event_id))
            if what.type is EventType.ERASE:
                marks[name] = arrival.log_ms
            shoppers[name].apply(what)
            if not what.shopper.endswith("-2"):
                kind = TYPE_INDEX[what.type]
                items.update((what.tenant, f"{kind}|{line.item_id}") for line in what.items)
    accepted = Counter(tenant for (tenant, _), _ in seen)
    return Oracle(dict(shoppers), items, records_by_tenant(log), accepted)


def records_by_tenant(log: Log) -> Counter[str]:
    """Of those in TENANTS; the letters that say so among them."""
    places = (place for part in log.partitions for place in part)
    whose = (x.event.tenant if isinstance(x, Arrival) else x.tenant for x in places)
    return Counter(tenant for tenant in whose if tenant in TENANTS)


def _in_order(log: Log, at_home: bool) -> Iterator[Arrival]:
    for number, part in enumerate(log.partitions):
        yield from (
            x
            for x in part
            if isinstance(x, Arrival) and (x.event.shopper.startswith(f"u{number}-") is at_home)
        )


def lengths(log: Log) -> Sequence[int]:
    return [len(part) for part in log.partitions]
