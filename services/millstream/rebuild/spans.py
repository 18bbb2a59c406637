"""Where everything begins and ends: what Redis, the log and the lake say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from millstream.domain.errors import Halt, OperatorError
from millstream.domain.log import Partition
from millstream.rebuild.history import as_consumed
from millstream.rebuild.plan import Held, Span, plan
from millstream.recommender.settings import RecommenderSettings
from millstream.stores.fences import PartitionFences, read_fences
from millstream.stores.keys import Keys
from millstream.stores.lake import is_blank, last_record
from millstream.stores.lake.in_order import held
from millstream.streaming import witness
from millstream.streaming.decode import witness_of
from millstream.streaming.probe import LogReader
from millstream.streaming.topic_admin import partitions_of

if TYPE_CHECKING:  # only the stores speak Redis
    from redis.asyncio import Redis


@dataclass(frozen=True)
class Options:
    """`ends`: by partition where to stop, for a broker that can tell neither this nor that a member
    has left the group (the embedded one)."""

    processes: int = 2
    resume: bool = False
    wipe: bool = False
    from_lake: bool = False
    ends: Mapping[int, int] | None = None


@dataclass(frozen=True)
class State:
    """`topic`: that is counted, its full name; `of`: as `millstream fences` calls it."""

    settings: RecommenderSettings
    redis: Redis
    keys: Keys
    slots: int
    topic: str
    of: str

    async def fences(self, partitions: list[int]) -> dict[int, PartitionFences]:
        sources = [(self.topic, partition) for partition in partitions]
        found = await read_fences(self.redis, self.keys, self.slots, sources)
        _ = found.epoch  # raises Halt where the slots are in different ones
        return {tp[1]: found.partitions[tp] for tp in sources}


async def partitions(settings: RecommenderSettings, topic: str, *, from_lake: bool) -> list[int]:
    if from_lake:
        found = sorted(held(settings.lake_dir, topic))
        if not found:
            raise OperatorError(
                f"lake {settings.lake_dir}",
                f"no records of topic {topic}",
                "the lake of this deployment",
                "Check MILLSTREAM_LAKE_DIR and MILLSTREAM_TOPIC_PREFIX",
            )
        return found
    places = await partitions_of(settings.brokers, topic)
    return [place.partition for place in places]


async def spans_of(state: State, numbers: list[int], options: Options) -> list[Span]:
    """Raises Halt where the log and the lake lack something, or do not fit together."""
    lake = {
        partition: Held(found.start, found.stop)
        for partition, found in held(state.settings.lake_dir, state.topic).items()
    }
    fences = await state.fences(numbers)
    if not options.resume:
        _require_uncounted(fences)
    starts = {number: fences[number].lowest for number in numbers}
    if options.from_lake:
        return plan(starts, {}, lake, state.of)
    async with LogReader(state.settings.brokers) as log:
        bounds = await _bounds(state, numbers, log, options.ends)
        await _require_counted(state, fences, bounds, log)
        spans = plan(starts, bounds, lake, state.of)
        await _require_same(state, spans, bounds, log)
    return spans


def _require_uncounted(fences: Mapping[int, PartitionFences]) -> None:
    """Some of the counts were taken away, and not the positions: what lies before these would stay
    uncounted. Where `fences init` said to begin, no record bears witness."""
    for partition, found in fences.items():
        if any(found.witnesses):
            raise OperatorError(
                f"partition {partition}",
                f"positions up to {found.highest}, and no counts",
                "neither",
                "`millstream rebuild --wipe` takes them away and begins anew",
            )


async def _bounds(
    state: State, numbers: list[int], log: LogReader, ends: Mapping[int, int] | None
) -> dict[int, Held]:
    sources = [(state.topic, number) for number in numbers]
    begins, told = await log.starts(sources), await log.ends(sources)
    if begins is None or told is None:
        raise OperatorError(
            f"topic {state.topic}", "no answer from the brokers", "its first and last offsets"
        )
    stops = {tp[1]: told[tp] for tp in sources} if ends is None else ends
    return {tp[1]: Held(begins[tp], max(begins[tp], stops.get(tp[1], 0))) for tp in sources}


async def _require_same(
    state: State, spans: list[Span], bounds: Mapping[int, Held], log: LogReader
) -> None:
    """The last record of the lake, where the log still has it, must be the log's: the files may be
    of a topic of before. Raises Halt."""
    wanted = {}
    for span in (span for span in spans if span.lake_to > span.start):
        last = last_record(state.settings.lake_dir, state.topic, span.partition)
        known = bounds[span.partition]
        if last and known.start <= last.offset < known.stop and not is_blank(last):
            wanted[state.topic, span.partition] = witness_of(as_consumed(last))
    await _require_shown(log, wanted)


async def _require_counted(
    state: State,
    fences: Mapping[int, PartitionFences],
    bounds: Mapping[int, Held],
    log: LogReader,
) -> None:
    """What a rebuild that was cut short has counted must still be in the log, as at a takeover."""
    found = {
        (state.topic, number): witness.readable(at.witnesses, bounds[number].start)
        for number, at in fences.items()
    }
    for place in (0, 1):
        await _require_shown(log, {tp: w[place] for tp, w in found.items() if len(w) > place})


async def _require_shown(log: LogReader, wanted: Mapping[Partition, str]) -> None:
    """Raises Halt where the log has another record, and where the broker does not say."""
    if silent := await witness.compare(log, wanted) if wanted else []:
        numbers = ", ".join(str(number) for _, number in sorted(silent))
        raise Halt(f"the broker does not show what was counted of partitions {numbers}")
