"""The log against what was counted of it: the same, another, shorter, or not to be asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pytest
from tests.builders import TOPIC, event, record

from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.streaming.decode import Record, witness_of
from millstream.streaming.probe import Absent
from millstream.streaming.witness import compare, readable

TP = (TOPIC, 3)


@dataclass
class MemoryLog:
    """One partition: `records` by offset, from `start` on."""

    records: dict[int, Record] = field(default_factory=dict)
    start: int = 0
    answers: bool = True

    async def starts(self, partitions: Iterable[Partition]) -> dict[Partition, int] | None:
        return dict.fromkeys(partitions, self.start) if self.answers else None

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]:
        if not self.answers:
            return dict.fromkeys(places, Absent.UNKNOWN)
        return {tp: self._first(at) for tp, at in places.items()}

    async def waiting(self, places: Mapping[Partition, int]) -> set[Partition]:
        first = await self.first_records(places)
        return {tp for tp, found in first.items() if not isinstance(found, Absent)}

    def _first(self, at: int) -> Record | Absent:
        there = [n for n in self.records if n >= max(at, self.start)]
        return self.records[min(there)] if there else Absent.GONE


def log_of(*ids: str) -> MemoryLog:
    return MemoryLog({n: record(event(name), n) for n, name in enumerate(ids)})


COUNTED = log_of("a", "b", "c")
LAST = witness_of(COUNTED.records[2])


async def test_the_log_that_was_counted_may_have_grown() -> None:
    assert await compare(log_of("a", "b", "c"), {TP: LAST}) == []
    assert await compare(log_of("a", "b", "c", "d", "e"), {TP: LAST}) == []


async def test_another_record_at_the_same_offset() -> None:
    with pytest.raises(Halt, match="another record") as told:
        await compare(log_of("x", "y", "z", "d"), {TP: LAST})
    said = str(told.value)
    assert f"partition 3 of {TOPIC}" in said
    assert "expected offset 2 with hash " + LAST.partition(":")[2] in said
    assert "found offset 2 with hash " in said
    assert "deploy/runbooks/witness-mismatch.md" in said


async def test_a_hole_where_a_record_was() -> None:
    cut = log_of("a", "b", "c", "d")
    del cut.records[2]
    with pytest.raises(Halt, match=r"expected offset 2 .* found offset 3"):
        await compare(cut, {TP: LAST})


@pytest.mark.parametrize("ids", [(), ("a",), ("a", "b")])
async def test_a_log_that_ends_before_it(ids: tuple[str, ...]) -> None:
    with pytest.raises(Halt, match=r"ends before offset 2.*topic-recreated-or-truncated.md"):
        await compare(log_of(*ids), {TP: LAST})


async def test_retention_that_passes_while_we_ask_proves_nothing() -> None:
    gone = log_of("a", "b", "c", "d")
    gone.start = 3
    assert await compare(gone, {TP: LAST}) == []


async def test_a_broker_that_does_not_answer_is_no_verdict() -> None:
    away = log_of("x", "y", "z")
    away.answers = False
    assert await compare(away, {TP: LAST}) == [TP]


def test_what_can_be_read_back() -> None:
    found = ["", "7:aa", "30:bb", "12:cc", "30:bb"]
    assert readable(found, 0) == ["7:aa", "30:bb"]
    assert readable(found, 8) == ["12:cc", "30:bb"]
    assert readable(found, 30) == ["30:bb"]
    assert readable(found, 31) == []
    assert readable(["", ""], 0) == []
