"""Counts of reviews anew, from the verdicts that were given: judging again might say otherwise.

The calls are those of insights, so this may be killed anywhere and run again, and insights goes on
from where it ends. What is counted already is not counted twice."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError
from msgspec import Struct

from millstream.counting.fenced import FencedCounter, FenceMoved, Prepared
from millstream.domain.clock import wall_clock
from millstream.domain.errors import Halt
from millstream.domain.failpoints import failpoint
from millstream.insights.reviews.count import Taken, decode, split
from millstream.rebuild.group import require_empty
from millstream.rebuild.history import History, Log, NoLog, Portion
from millstream.rebuild.log import open_log
from millstream.rebuild.pace import Pace
from millstream.rebuild.pipeline import nothing
from millstream.rebuild.plan import Span
from millstream.rebuild.processes import CONTEXT
from millstream.rebuild.ready import set_marks
from millstream.rebuild.spans import Options, State, partitions, spans_of
from millstream.rebuild.wiring import require_reached
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.fences import PartitionFences, read_fences
from millstream.stores.item_totals import ItemTotals
from millstream.stores.keys import Keys
from millstream.stores.lake.in_order import held
from millstream.stores.redis import connected, read_slots
from millstream.stores.reset import holds_counts, is_half_wiped, wipe
from millstream.stores.verdict_store import ReviewTotals, VerdictStore, review_keys
from millstream.streaming.access import access
from millstream.streaming.starting import started
from millstream.streaming.topics import REVIEW_VERDICTS

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis


class ReviewsOutcome(Struct, frozen=True, kw_only=True):
    """As wiring.Outcome, of verdicts; `items`: with at least one review."""

    verdicts: int
    seconds: float
    from_lake: int
    erased: int
    items: int
    ledger: dict[str, int]
    residue: int


async def rebuild_reviews(
    settings: RecommenderSettings, group: str, options: Options
) -> ReviewsOutcome | None:
    """After the events, whose rebuild makes Redis ready. `group`: of insights, full; none may be at
    work, unless `options.ends` says that the broker can't tell. None where nothing was ever judged,
    as far as the lake knows. Raises as wiring.rebuild."""
    began = time.monotonic()
    topic = settings.topic(REVIEW_VERDICTS)
    if options.from_lake and not held(settings.lake_dir, topic):
        return None
    numbers = await partitions(settings, topic, from_lake=options.from_lake)
    if options.ends is None:
        await _require_nobody_counts(settings, group)
    async with AsyncExitStack() as stack:
        redis = await connected(settings.redis_url)
        stack.push_async_callback(redis.aclose)
        keys = review_keys(settings.redis_prefix)
        slots = await read_slots(redis, Keys(settings.redis_prefix))
        resume = await _goes_on(redis, keys, slots, options)
        erased = await set_marks(settings, redis, keys, slots)
        state = State(settings, redis, keys, slots, topic, "reviews")
        spans = await spans_of(state, numbers, replace(options, resume=resume, ends=None))
        await _count(stack, state, [span for span in spans if span.total])
        await ItemTotals(redis, keys, slots).sweep_all()
        items = await ReviewTotals(redis, keys, slots).items()
        fences = await state.fences(numbers)
    require_reached(spans, fences)
    return _outcome(spans, fences, (erased, len(items)), time.monotonic() - began)


async def _require_nobody_counts(settings: RecommenderSettings, group: str) -> None:
    admin = AIOKafkaAdminClient(**access(settings.brokers))
    try:
        await started(admin, settings.brokers)
        await require_empty(admin, group, "insights")
    except GroupCoordinatorNotAvailableError:  # before the first group of a cluster there is none
        return
    finally:
        await admin.close()


async def _goes_on(redis: Redis, keys: Keys, slots: int, options: Options) -> bool:
    """Whether some of it is counted already."""
    if options.wipe or await is_half_wiped(redis, keys):
        await wipe(redis, keys, slots)
        return False
    return options.resume or await holds_counts(redis, keys)


async def _count(stack: AsyncExitStack, state: State, spans: Sequence[Span]) -> None:
    if not spans:
        return
    pace = Pace(CONTEXT, max(span.partition for span in spans) + 1)
    pace.begin(span.partition for span in spans)
    log: Log = NoLog()
    from_log = [span for span in spans if span.end > span.lake_to]
    if from_log:
        log = await stack.enter_async_context(
            open_log(state.settings.brokers, state.topic, from_log)
        )
    sources = [(state.topic, span.partition) for span in spans]
    fences = await read_fences(state.redis, state.keys, state.slots, sources)
    store = VerdictStore(state.redis, state.keys, state.slots, len(spans))
    counter = FencedCounter(store, wall_clock)
    counter.resume({tp: fences.partitions[tp].per_slot for tp in sources}, fences.epoch)
    totals = ReviewTotals(state.redis, state.keys, state.slots)
    history = History(state.settings.lake_dir, state.topic, spans, log, pace)
    try:
        async for portions in history.portions():
            taken = [_taken(portion, state.topic) for portion in portions]
            tenants = {said.tenant for one in taken for _, _, said in one.verdicts}
            if tenants:
                await totals.know(tenants)
            await counter.record([Prepared(one.decoded, split(one, state.slots)) for one in taken])
            failpoint("rebuild-reviews-counted")
            for decoded in (one.decoded for one in taken):
                pace.note(decoded.partition, decoded.clock_ms, decoded.to - decoded.start)
        await counter.advance_idle()
    except FenceMoved as moved:
        raise Halt(
            f"Redis went back while reviews were counted ({moved}); run `millstream rebuild "
            "--resume`"
        ) from None


def _taken(portion: Portion, topic: str) -> Taken:
    if not portion.records:
        return Taken(nothing(portion, topic), ())
    return decode((topic, portion.partition), portion.start, portion.records)


def _outcome(
    spans: Sequence[Span],
    fences: Mapping[int, PartitionFences],
    erased_and_items: tuple[int, int],
    seconds: float,
) -> ReviewsOutcome:
    names = next(iter(fences.values())).ledger or {}
    erased, items = erased_and_items
    return ReviewsOutcome(
        verdicts=sum(fences[span.partition].lowest - span.start for span in spans),
        seconds=round(seconds, 2),
        from_lake=sum(span.lake_to - span.start for span in spans),
        erased=erased,
        items=items,
        ledger={name: sum((at.ledger or {})[name] for at in fences.values()) for name in names},
        residue=sum(abs(at.residue or 0) for at in fences.values()),
    )
