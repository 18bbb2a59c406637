"""A rebuild from its settings to its outcome."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping

from msgspec import Struct

from millstream.domain.errors import OperatorError
from millstream.rebuild.group import Left, left_behind
from millstream.rebuild.pace import Pace
from millstream.rebuild.part import Job
from millstream.rebuild.plan import Span, share
from millstream.rebuild.processes import CONTEXT, run_all
from millstream.rebuild.ready import prepare_redis, reach_epoch, set_marks
from millstream.rebuild.spans import Options, State, partitions, spans_of
from millstream.recommender.readiness import require_ready
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.fences import PartitionFences
from millstream.stores.half_lives import keep_half_lives
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.redis import connected
from millstream.streaming.topics import EVENTS

Progress = Callable[[int, int], None]
"""Told (offsets counted, of how many), again and again."""


class Outcome(Struct, frozen=True, kw_only=True):
    """`events`: offsets that were read and judged. `from_lake`: those that the lake gave. `erased`:
    shoppers whose marks were set. `ledger`: what stands counted by now; `residue`: by how much it
    differs from what the fences moved, 0 where all is told."""

    events: int
    seconds: float
    events_per_s: float
    from_lake: int
    erased: int
    item_totals: int
    ledger: dict[str, int]
    residue: int


async def rebuild(settings: RecommenderSettings, options: Options, progress: Progress) -> Outcome:
    """Raises OperatorError and Halt where the deployment is not ready or offsets are missing; then
    and after a crash `resume` goes on from where the slots stand."""
    began = time.monotonic()
    topic = settings.topic(EVENTS)
    numbers = await partitions(settings, topic, from_lake=options.from_lake)
    left = await left_behind(settings, numbers, look_for_members=options.ends is None)
    redis = await connected(settings.redis_url)
    keys = Keys(settings.redis_prefix)
    try:
        slots = await prepare_redis(redis, keys, reset=options.wipe, resume=options.resume)
        await keep_half_lives(redis, keys, settings.deriving)
        if not options.from_lake:
            await require_ready(settings, redis, keys, slots)
        await reach_epoch(redis, keys, slots, left.epoch)
        erased = await set_marks(settings, redis, keys, slots)
        state = State(settings, redis, keys, slots, topic, "events")
        spans = await spans_of(state, numbers, options)
        await _count(state, spans, left, options.processes, progress)
        totals = await ItemTotals(redis, keys, slots).sweep_all()
        fences = await state.fences(numbers)
    finally:
        await redis.aclose()
    require_reached(spans, fences)
    return _outcome(spans, fences, erased, totals, time.monotonic() - began)


async def _count(
    state: State, spans: list[Span], left: Left, processes: int, progress: Progress
) -> None:
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # the processes share the cores
    pace = Pace(CONTEXT, max((span.partition for span in spans), default=0) + 1)
    shares = share(spans, processes)
    pace.begin(span.partition for part in shares for span in part)
    settled = frozenset(left.watermarks)
    jobs = [Job(state.settings, state.slots, len(spans), tuple(part), settled) for part in shares]
    total = sum(span.total for span in spans)
    if jobs:
        await run_all(jobs, pace, lambda done: progress(done, total))


def require_reached(spans: list[Span], fences: Mapping[int, PartitionFences]) -> None:
    """A log may end with markers of transactions, which are no records: then a fence stays behind
    the end, at the last record."""
    for span in spans:
        found = fences[span.partition]
        if found.lowest != found.highest:
            raise OperatorError(
                f"partition {span.partition}",
                f"slots at {found.lowest} to {found.highest}",
                "all at the same offset",
                "Run `millstream rebuild --resume`; is a recommender at work?",
            )


def _outcome(
    spans: list[Span],
    fences: Mapping[int, PartitionFences],
    erased: int,
    totals: int,
    seconds: float,
) -> Outcome:
    events = sum(fences[span.partition].lowest - span.start for span in spans)
    names = next(iter(fences.values())).ledger or {}
    return Outcome(
        events=events,
        seconds=round(seconds, 2),
        events_per_s=round(events / seconds, 1),
        from_lake=sum(span.lake_to - span.start for span in spans),
        erased=erased,
        item_totals=totals,
        ledger={name: sum((at.ledger or {})[name] for at in fences.values()) for name in names},
        residue=sum(abs(at.residue or 0) for at in fences.values()),
    )
