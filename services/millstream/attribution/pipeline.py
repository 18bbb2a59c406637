"""START HERE: lists and events of a partition, joined into counts that are kept with the positions.

1. Read what has come of both topics; what does not read as a list or an event is passed over.
2. Put both in the order of the log (order.py), as far as neither can still have something earlier.
3. Fetch what is held of the shoppers named, join (join.py).
4. Write counts, what is held, and the positions in one transaction, which fails where somebody else
   moved the positions. So a portion counts once, however often it is read.
5. Tell how far it is behind in each topic."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from millstream.attribution import telemetry
from millstream.attribution.join import Joiner
from millstream.attribution.log import Acted, Erased, Partition, Shown, TwoTopics
from millstream.attribution.order import due
from millstream.domain.clock import Clock
from millstream.stores.attributions import Attributions, Portion

MOST = 2_000
"""Records of a portion."""

Said = Shown | Erased | Acted


@dataclass(frozen=True, slots=True)
class Stages:
    """`clock`: the wall's, by which the lag is told."""

    log: TwoTopics
    store: Attributions
    clock: Clock


async def run(stages: Stages, stop: asyncio.Event) -> None:
    """Until `stop`. Raises Halt where another one is at work, or the log lacks what comes next."""
    while not stop.is_set():
        await stages.log.read()
        # read: per partition what has come of both topics waits in memory
        for partition in stages.log.partitions:
            while await handle(partition, stages):
                if stop.is_set():
                    return
        for topic, number, waiting in stages.log.standing():
            telemetry.stands(topic, number, waiting, stages.clock())


async def handle(partition: Partition, stages: Stages) -> bool:
    """Whether there was anything."""
    portion: list[Said] = list(due(partition.lists, partition.events, MOST))
    if not portion:
        return False
    # portion: lists and events in the order of the log
    names = dict.fromkeys(said.name for said in portion)
    known = await stages.store.held(partition.number, names)
    enrolled = await stages.store.enrolled(partition.number, names)
    joined = join(portion, Joiner(known, enrolled))
    # joined: counts by tenant and day, what is held of each shopper from now on
    stands = partition.positions
    await stages.store.write(
        Portion(
            partition.number,
            partition.stored,
            stands,
            dict(joined.packed()),
            joined.counts,
            joined.listed,
            dict(joined.enrolments.changed()),
            joined.enrolments.counts,
            max(map(_log_ms, portion)),
        )
    )
    partition.stored = stands
    return True


def _log_ms(said: Said) -> int:
    match said:
        case Shown(_, made):
            return int(made.log_time.timestamp() * 1000)
        case Acted(_, _, log_ms):
            return log_ms
    return 0


def join(portion: Iterable[Said], joiner: Joiner) -> Joiner:
    for said in portion:
        match said:
            case Shown(_, made):
                joiner.shown(made)
            case Erased(name):
                joiner.forget(name)
            case Acted(_, event, log_ms):
                joiner.acted(event, log_ms)
    return joiner
