"""START HERE: what happens to events, from the log to each shopper's list.

Four steps, each for a portion of the log at a time and in the order of the log. While one portion's
lists are on their way to the brokers, those of the next are made, the one after it is with Redis,
and another is decoded (worker.py, flights.py). Each may be repeated from any point: nothing is
counted twice, and a list that goes out twice has one id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from millstream.counting.fenced import Prepared, Recorded
from millstream.counting.recheck import Recheck
from millstream.domain.failpoints import failpoint
from millstream.recommender import telemetry
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness, owed
from millstream.recommender.fair_shares import FairShares
from millstream.recommender.publish import Publisher, Sending
from millstream.recommender.quarantine import Quarantine
from millstream.recommender.record import Recorder
from millstream.recommender.tenure import Tenure
from millstream.stores.served_lists import ServedLists
from millstream.streaming.cursor import Cursor
from millstream.streaming.decode import Record
from millstream.streaming.over_full import OverFull


@dataclass(frozen=True, slots=True)
class Stages:
    quarantine: Quarantine
    eviction: Recheck
    recorder: Recorder
    over_full: OverFull
    deriver: Deriver
    drafter: Drafter
    publisher: Publisher
    tenure: Tenure
    served: ServedLists
    freshness: Freshness
    fair: FairShares


@dataclass(frozen=True, slots=True)
class Part:
    """The next records of one partition: `start` is where the ones before them ended."""

    source: tuple[str, int]
    records: Sequence[Record]
    start: int
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Ready:
    part: Part
    prepared: Prepared


async def prepare(parts: Sequence[Part], stages: Stages) -> list[Ready]:
    """What does not depend on what came before. At most one part per partition."""
    ranges = [await stages.quarantine.decode(p.source, p.records, p.start) for p in parts]
    # ranges: events at their places in the log; what is none is a durable dead letter
    prepared = [await stages.recorder.prepare(decoded) for decoded in ranges]
    # prepared: what each state slot gets of them
    return list(map(Ready, parts, prepared))


async def record(ready: Sequence[Ready], stages: Stages) -> Recorded:
    """Counts; after the ranges before these were recorded. Raises Halt."""
    await stages.eviction.hold()
    failpoint("before-call")
    recorded = await stages.recorder.record([one.prepared for one in ready])
    failpoint("after-calls")
    # recorded: a verdict per event, and the fresh state of every shopper they touched
    await stages.over_full.send((r for one in ready for r in one.part.records), recorded.over)
    # returned: events of shoppers who have too many, as dead letters
    stages.deriver.gather(recorded)
    # gathered: co-visitation and popularity, written every half second
    return recorded


async def answer(
    ready: Sequence[Ready], recorded: Recorded, stages: Stages, still_ours: Callable[[], None]
) -> Sending:
    """Lists for what was counted; after the lists before these were handed over, so that a
    shopper's are in order on their topic. `still_ours` raises where another worker may have the
    partitions by now, and may have taken a list back."""
    publish_from = {one.part.source[1]: one.part.cursor.publish_from for one in ready}
    due = owed(recorded, publish_from, stages.freshness)
    # due: per shopper the newest event that is owed a list
    kept = stages.fair.kept(due)
    # kept: without those that a tenant gives up where we are behind and others wait
    drafts = await stages.drafter.draft(kept, recorded)
    # drafts: one list per shopper: candidates, score, policy (ranking/rank.py)
    failpoint("before-produce")
    still_ours()
    # sending: in the producer's hands, in order
    return await stages.publisher.send(drafts)


async def deliver(
    ready: Sequence[Ready], recorded: Recorded, sending: Sending, stages: Stages
) -> None:
    """Returns when the lists are durable and can be asked for; after the ones before these are."""
    published = await sending.durable()
    failpoint("after-produce")
    # published: durable on the topic
    await stages.served.put(published.lists)
    await stages.served.drop(published.erased)
    # served: the newest list of each shopper in Redis, for who asks by shopper
    for one in ready:
        one.part.cursor.advance(one.prepared.decoded.to)
        telemetry.handled(one.part.source[1], one.prepared.decoded.clock_ms)
    telemetry.count(recorded.verdicts, recorded.by_tenant, len(sending.drafts))
    telemetry.published(published.lists)
