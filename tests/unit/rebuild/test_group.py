"""What the group's committed offsets say of lists and letters that are out."""

from __future__ import annotations

from aiokafka import OffsetAndMetadata, TopicPartition

from millstream.rebuild.group import Left, left_of


def committed(*rows: tuple[int, str]) -> dict[TopicPartition, OffsetAndMetadata]:
    return {TopicPartition("t", n): OffsetAndMetadata(*row) for n, row in enumerate(rows)}


def test_no_watermark_where_none_was_written() -> None:
    assert left_of({}) == Left("0", {})
    assert left_of(committed((-1, ""), (7, ""))) == Left("0", {1: 7})


def test_those_of_the_last_epoch_count() -> None:
    assert left_of(committed((7, "2"), (9, "10"), (3, ""))) == Left("10", {1: 9})


def test_what_is_no_epoch_is_not_ours() -> None:
    assert left_of(committed((7, "a tool's own"), (9, "1"))) == Left("1", {1: 9})
