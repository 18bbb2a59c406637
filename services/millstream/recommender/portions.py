"""In what pieces delivered chunks are handled; pure."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence

from millstream.domain.log import Partition
from millstream.recommender.pipeline import Part
from millstream.streaming.chunks import Chunk


def rounds(chunks: Sequence[Chunk]) -> Iterator[list[Chunk]]:
    """One chunk per partition in each round, a partition's chunks in the order they came. Those
    that continue each other are one: events that come one by one would else be a round each."""
    waiting: dict[Partition, deque[Chunk]] = defaultdict(deque)
    for chunk in chunks:
        came = waiting[chunk.topic, chunk.partition]
        if came and came[-1].records[-1].offset + 1 == chunk.records[0].offset:
            records = [*came.pop().records, *chunk.records]
            came.append(Chunk(chunk.topic, chunk.partition, records))
        else:
            came.append(chunk)
    while round_ := [came.popleft() for came in waiting.values() if came]:
        yield round_


def portions(parts: Sequence[Part], most: int) -> Iterator[list[Part]]:
    """`most` records at a time, from as few partitions as have so many: each one more costs a call
    per slot, which under a backlog would be calls of two or three events. Partitions take turns,
    so that none stands still for as long as all the others take.

    A partition stands once in a portion, and its records stay in order."""
    portion: list[Part] = []
    room = most
    turns = deque((part, 0) for part in parts)
    while turns:
        part, start = turns.popleft()
        records = part.records[start : start + room]
        begin = part.records[start - 1].offset + 1 if start else part.start
        portion.append(Part(part.source, records, begin, part.cursor))
        start, room = start + len(records), room - len(records)
        if start < len(part.records):
            turns.append((part, start))
        if not room:
            yield portion
            portion, room = [], most
    if portion:
        yield portion
