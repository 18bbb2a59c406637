"""START HERE: what happens to events, from the log to each shopper's list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from millstream.recommender import telemetry
from millstream.recommender.derive import Deriver
from millstream.recommender.draft import Drafter, Freshness, owed
from millstream.recommender.publish import Publisher
from millstream.recommender.record import Recorder
from millstream.streaming.cursor import Cursor
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import Record, decode_records, return_over


@dataclass(frozen=True, slots=True)
class Stages:
    dead_letters: DeadLetters
    recorder: Recorder
    deriver: Deriver
    drafter: Drafter
    publisher: Publisher
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class Part:
    """The next records of one partition: they begin at `cursor.expected`."""

    source: tuple[str, int]
    records: Sequence[Record]
    cursor: Cursor


async def handle(parts: Sequence[Part], stages: Stages) -> None:
    """At most one part per partition. May be repeated from any point: nothing is counted twice,
    and a list that goes out twice bears the same id."""
    ranges = [await decode_records(*p.source, p.records, stages.dead_letters) for p in parts]
    # ranges: events at their places in the log; what is none is a durable dead letter
    recorded = await stages.recorder.record(ranges)
    # recorded: a verdict per event, and the fresh state of every shopper they touched
    await return_over(
        (r for part in parts for r in part.records), recorded.over, stages.dead_letters
    )
    # returned: events of shoppers who have too many, as dead letters
    stages.deriver.gather(recorded)
    # gathered: co-visitation and popularity, written every half second
    due = owed(recorded, {p.source[1]: p.cursor.publish_from for p in parts}, stages.freshness)
    # due: per shopper the newest event that is owed a list
    drafts = await stages.drafter.draft(due, recorded)
    # drafts: one list per shopper: candidates, score, policy (ranking/rank.py)
    await stages.publisher.publish(drafts)
    # published: durable on the topic
    for part, done in zip(parts, ranges, strict=True):
        part.cursor.advance(done.to)
    telemetry.count(recorded.verdicts, len(drafts))
