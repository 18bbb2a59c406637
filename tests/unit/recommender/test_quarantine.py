"""Who is suspected when, and that a range with poison in it is whole all the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.builders import TOPIC, event, record
from tests.unit.recommender.conftest import MemoryProducer, MemoryStarts

from millstream.domain.errors import Reason
from millstream.domain.log import Partition
from millstream.domain.replayed import no_origin
from millstream.recommender.quarantine import MOST_STARTS, TRIALS, Quarantine
from millstream.stores.fences import Fences, PartitionFences
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import Decoded, Record, witness_of

HERE, THERE = (TOPIC, 0), (TOPIC, 1)


class Trials:
    """As streaming.trial.poison_among, with poison at known offsets."""

    def __init__(self, *poison: int) -> None:
        self.poison = set(poison)
        self.tried: list[list[int]] = []

    async def __call__(self, records: Sequence[Record]) -> set[int]:
        self.tried.append([r.offset for r in records])
        return self.poison & set(self.tried[-1])


def fences(*lowest: int, epoch: str = "0") -> Fences:
    found: dict[Partition, PartitionFences] = {
        (TOPIC, number): PartitionFences((at + 3, at)) for number, at in enumerate(lowest)
    }
    return Fences((epoch, epoch), found)


def worker(starts: MemoryStarts, trials: Trials, letters: MemoryProducer) -> Quarantine:
    """As a process that has just begun."""
    return Quarantine(DeadLetters(letters), no_origin, starts, trials)


@pytest.fixture
def starts() -> MemoryStarts:
    return MemoryStarts()


@pytest.fixture
def letters() -> MemoryProducer:
    return MemoryProducer()


async def suspicious(starts: MemoryStarts, trials: Trials, letters: MemoryProducer) -> Quarantine:
    """One that begins at 10 where others began before it."""
    for _ in range(MOST_STARTS):
        await worker(starts, trials, letters).begin(fences(10))
    found = worker(starts, trials, letters)
    await found.begin(fences(10))
    return found


def records(first: int, *kinds: str) -> list[Record]:
    """`good`, `bad` (refused) or `gap` (an offset that the log does not have)."""
    return [
        record(event(f"e{offset}", "ann") if kind == "good" else b"{", offset)
        for offset, kind in enumerate(kinds, first)
        if kind != "gap"
    ]


def fates(decoded: Decoded) -> dict[int, str]:
    holes = {hole.offset + n: "hole" for hole in decoded.holes for n in range(hole.n)}
    told = {letter.offset: str(letter.reason) for letter in decoded.letters}
    return {arrival.offset: "event" for arrival in decoded.arrivals} | told | holes


async def test_a_few_starts_are_no_reason(starts: MemoryStarts, letters: MemoryProducer) -> None:
    trials = Trials()
    for _ in range(MOST_STARTS):
        begun = worker(starts, trials, letters)
        await begun.begin(fences(10))
        await begun.decode(HERE, records(10, "good"), 10)
    assert trials.tried == []


async def test_one_more_is_for_what_comes_next(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    trials = Trials()
    found = await suspicious(starts, trials, letters)
    for first in range(10, 10 + 2 * TRIALS):
        await found.decode(HERE, records(first, "good"), first)
    assert trials.tried == [[10 + number] for number in range(TRIALS)]


async def test_a_worker_that_gets_on_is_not_suspected(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    trials = Trials()
    for at in range(10, 10 + 2 * MOST_STARTS):
        begun = worker(starts, trials, letters)
        await begun.begin(fences(at))
        await begun.decode(HERE, records(at, "good"), at)
    assert trials.tried == []


async def test_going_back_to_the_same_position_is_no_start(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    trials = Trials()
    begun = worker(starts, trials, letters)
    for _ in range(2 * MOST_STARTS):
        await begun.begin(fences(10))
    await begun.decode(HERE, records(10, "good"), 10)
    assert trials.tried == []


async def test_only_the_partition_that_stands_still_is_suspected(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    trials = Trials()
    for number in range(MOST_STARTS + 1):
        begun = worker(starts, trials, letters)
        await begun.begin(fences(10, number))
    await begun.decode(THERE, records(3, "good"), 3)
    assert trials.tried == []
    await begun.decode(HERE, records(10, "good"), 10)
    assert trials.tried == [[10]]


@pytest.mark.parametrize(
    "poison",
    [{10}, {15}, {12, 13}, set(range(10, 16))],
    ids=["first", "last", "in a row", "all"],
)
async def test_a_range_with_poison_is_whole(
    starts: MemoryStarts, letters: MemoryProducer, poison: set[int]
) -> None:
    found = await suspicious(starts, Trials(*poison), letters)
    given = records(10, "good", "good", "bad", "good", "gap", "good")
    decoded = await found.decode(HERE, given, 9)
    expected = {
        9: "hole",
        10: "event",
        11: "event",
        12: "undecodable",
        13: "event",
        14: "hole",
        15: "event",
    }
    there = {r.offset for r in given}
    assert fates(decoded) == expected | dict.fromkeys(poison & there, "poison")
    assert (decoded.start, decoded.to, decoded.witness) == (9, 16, witness_of(given[-1]))
    assert [letter.offset for letter in decoded.letters] == sorted(
        letter.offset for letter in decoded.letters
    )


async def test_its_letter_holds_the_record_as_it_came(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    found = await suspicious(starts, Trials(11), letters)
    given = records(10, "good", "good")
    await found.decode(HERE, given, 10)
    (letter,) = letters.sent
    assert (letter.topic, letter.value, letter.key) == (f"{TOPIC}.dlq", given[1].value, b"key")
    told = dict(letter.headers)
    assert told["millstream.error.reason"] == str(Reason.POISON).encode()
    assert told["millstream.error.offset"] == b"11"


async def test_it_is_known_when_the_range_comes_again(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    trials = Trials(11)
    found = await suspicious(starts, trials, letters)
    given = records(10, "good", "good", "good")
    for _ in range(TRIALS + 2):
        assert fates(await found.decode(HERE, given, 10))[11] == "poison"
    assert len(trials.tried) == TRIALS


async def test_offsets_of_another_epoch_are_another_log(
    starts: MemoryStarts, letters: MemoryProducer
) -> None:
    trials = Trials(10)
    found = await suspicious(starts, trials, letters)
    assert fates(await found.decode(HERE, records(10, "good"), 10)) == {10: "poison"}
    await found.begin(fences(0, epoch="1"))
    assert fates(await found.decode(HERE, records(10, "good"), 10)) == {10: "event"}
