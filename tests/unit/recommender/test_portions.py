"""In what pieces delivered chunks are handled."""

from __future__ import annotations

from tests.builders import TOPIC, record

from millstream.recommender.pipeline import Part
from millstream.recommender.portions import portions, rounds
from millstream.streaming.chunks import Chunk
from millstream.streaming.cursor import Cursor


def chunk(partition: int, *offsets: int) -> Chunk:
    return Chunk(TOPIC, partition, [record(None, n, partition=partition) for n in offsets])


def told(round_: list[Chunk]) -> dict[int, list[int]]:
    return {one.partition: [found.offset for found in one.records] for one in round_}


def test_chunks_that_continue_each_other_are_one() -> None:
    came = [chunk(0, 1, 2), chunk(1, 7), chunk(0, 3), chunk(1, 8, 9), chunk(0, 4)]
    assert [told(one) for one in rounds(came)] == [{0: [1, 2, 3, 4], 1: [7, 8, 9]}]


def test_a_gap_or_a_step_back_begins_another_round() -> None:
    came = [chunk(0, 1, 2), chunk(0, 4), chunk(0, 5), chunk(0, 4, 5), chunk(1, 1)]
    assert [told(one) for one in rounds(came)] == [
        {0: [1, 2], 1: [1]},
        {0: [4, 5]},
        {0: [4, 5]},
    ]


def test_a_portion_holds_so_many_records_of_as_few_partitions_as_have_them() -> None:
    parts = [
        Part((TOPIC, 0), chunk(0, 1, 2, 3).records, 0, Cursor(0, 0)),
        Part((TOPIC, 1), chunk(1, 5, 6).records, 5, Cursor(5, 5)),
    ]
    found = [
        [(part.source[1], part.start, [one.offset for one in part.records]) for part in portion]
        for portion in portions(parts, 2)
    ]
    assert found == [[(0, 0, [1, 2])], [(1, 5, [5, 6])], [(0, 3, [3])]]


def test_partitions_take_turns() -> None:
    parts = [Part((TOPIC, n), chunk(n, *range(5)).records, 0, Cursor(0, 0)) for n in range(3)]
    turns = [
        [(part.source[1], len(part.records)) for part in portion] for portion in portions(parts, 4)
    ]
    assert turns == [[(0, 4)], [(1, 4)], [(2, 4)], [(0, 1), (1, 1), (2, 1)]]
