"""Whether the log is still the one that was counted: what a fence remembers of its last record is
compared with what the log has there now.

An offset alone can't tell: a topic that was made anew, or lost its end, has other records at the
same offsets, and what is new in it would be passed over as counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from millstream.domain.errors import Halt
from millstream.domain.failpoints import switched_off
from millstream.domain.log import Partition
from millstream.streaming.decode import Record, witness_of
from millstream.streaming.probe import Absent

RUNBOOKS = "deploy/runbooks"
LOOKS = 3
"""At the log for a witness, where the broker does not answer."""


class Log(Protocol):
    """As streaming.probe.LogReader."""

    async def starts(self, partitions: Iterable[Partition]) -> dict[Partition, int] | None: ...

    async def first_records(
        self, places: Mapping[Partition, int]
    ) -> dict[Partition, Record | Absent]: ...


def offset_of(witness: str) -> int:
    return int(witness.partition(":")[0])


def readable(witnesses: Iterable[str], log_start: int) -> list[str]:
    """The lowest and the highest witness that the log still reaches back to; one, if they are the
    same; none, if retention took them all, which proves nothing either way."""
    there = {w for w in witnesses if w and offset_of(w) >= log_start}
    ends = (min(there, key=offset_of), max(there, key=offset_of)) if there else ()
    return list(dict.fromkeys(ends))


async def verify(log: Log, witnesses: Mapping[Partition, Sequence[str]]) -> None:
    """What `readable` gave of each partition: the lowest in one question, the highest in another.
    Raises Halt as `compare` does, and where the broker does not answer in LOOKS questions."""
    for place in (0, 1):
        asked = {tp: found[place] for tp, found in witnesses.items() if len(found) > place}
        looks = 0
        while asked and looks < LOOKS:
            silent = await compare(log, asked)
            asked, looks = {tp: asked[tp] for tp in silent}, looks + 1
        if asked:
            numbers = ", ".join(str(number) for _, number in sorted(asked))
            raise Halt(f"the broker does not show what was counted of partitions {numbers}")


async def compare(log: Log, witnesses: Mapping[Partition, str]) -> list[Partition]:
    """Reads each partition's witness back. Returns those of which the broker tells nothing; raises
    Halt at the first that is not as it was counted. A record that retention took while we asked is
    no difference."""
    found = await log.first_records({tp: offset_of(w) for tp, w in witnesses.items()})
    differing = {tp: why for tp in witnesses if (why := _difference(tp, witnesses[tp], found[tp]))}
    silent = [tp for tp in witnesses if found[tp] is Absent.UNKNOWN]
    if differing:
        starts = await log.starts(differing)
        if starts is None:
            return [*silent, *differing]
        for tp, why in differing.items():
            if starts[tp] <= offset_of(witnesses[tp]):
                raise Halt(why)
    return silent


def _difference(tp: Partition, witness: str, found: Record | Absent) -> str | None:
    if found is Absent.UNKNOWN:
        return None
    offset, digest = offset_of(witness), witness.partition(":")[2]
    if found is Absent.GONE:
        return (
            f"partition {tp[1]} of {tp[0]} ends before offset {offset}, whose record was counted: "
            "the topic was made anew, or lost its end. See "
            f"{RUNBOOKS}/topic-recreated-or-truncated.md"
        )
    shown = witness_of(found)
    if shown == witness or switched_off("witness"):
        return None
    return (
        f"partition {tp[1]} of {tp[0]} has another record than the one that was counted: expected "
        f"offset {offset} with hash {digest}, found offset {found.offset} with hash "
        f"{shown.partition(':')[2]}. See {RUNBOOKS}/witness-mismatch.md"
    )


def past_retention(tp: Partition, log_start: int, needed: int) -> Halt:
    return Halt(
        f"partition {tp[1]} of {tp[0]} begins at {log_start}, and offsets from {needed} are still "
        "to be counted: retention has passed, or records were deleted. See "
        f"{RUNBOOKS}/retention-passed.md"
    )
