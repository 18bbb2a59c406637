"""The worker on a broker that loses fetches and delivers late: nothing that the log has is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import TOPIC, record
from tests.effort import tries

from millstream.domain.log import Partition
from millstream.recommender.pipeline import Part, Ready
from millstream.recommender.worker import Worker
from millstream.stores.fences import Fences, PartitionFences
from millstream.streaming.chunks import Chunk, LogBounds

PARTITIONS = 3
END = 60
FETCH = 6
UNDER_WAY = 4
SEEDS_PER_BATCH = 20
TURNS = 20_000
"""Of the loop; a run takes some hundreds."""


@dataclass
class _Run:
    handled: dict[int, set[int]]
    there: dict[int, set[int]]
    fences: dict[int, int]
    ended_by: BaseException | None


class LossyBroker:
    """Hands out what the log has from `at` on. What it fetched before a seek is delivered after it,
    some fetches never arrive, and now and then the log does not answer."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.at = dict.fromkeys(range(PARTITIONS), 0)
        self.fences = dict.fromkeys(range(PARTITIONS), 0)
        self.handled: dict[int, set[int]] = {p: set() for p in range(PARTITIONS)}
        # The last offset exists, for nothing comes behind it that would show a hole.
        self.there = {p: {END - 1} | self._written() for p in range(PARTITIONS)}
        self.lost = {self.random.randrange(2, 30) for _ in range(4)}
        self.fetched = 0
        self.queue: asyncio.Queue[Chunk] = asyncio.Queue(UNDER_WAY)
        stages: Any = SimpleNamespace(
            recorder=SimpleNamespace(resume=lambda *_: None),
            tenure=SimpleNamespace(begin=lambda: 0.0, check=lambda _: None),
        )
        log: Any = SimpleNamespace(first_offset=self._first_offset, first_records=_no_records)
        self.worker = Worker(stages, self._positions, log, chunk_records=FETCH)

    def _written(self) -> set[int]:
        markers = self.random.choice([0.0, 0.1, 0.4])
        return {n for n in range(END) if self.random.random() >= markers}

    async def run(self) -> _Run:
        await self._rewind()
        tasks = [
            asyncio.create_task(run)
            for run in (self._fetch(), self._deliver(), self.worker.run(self._rewind))
        ]
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if min(self.fences.values()) == END or tasks[-1].done():
                break
        ended_by = tasks[-1].exception() if tasks[-1].done() else None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return _Run(self.handled, self.there, self.fences, ended_by)

    async def prepare(self, parts: Sequence[Part], _: object) -> list[Any]:
        """In place of pipeline.prepare."""
        await self._some_turns()
        prepared = SimpleNamespace(decoded=SimpleNamespace(witness=""))
        return [SimpleNamespace(part=part, prepared=prepared) for part in parts]

    async def record(self, ready: Sequence[Ready], _: object) -> Sequence[Ready]:
        """In place of pipeline.record: the fences move when the records are counted."""
        await self._some_turns()
        for part in (one.part for one in ready):
            number, to = part.source[1], part.records[-1].offset + 1
            assert part.start <= self.fences[number], "a range begins past the fence"
            missing = set(range(part.start, to)) - {found.offset for found in part.records}
            assert not missing & self.there[number], "taken for holes, and the log has them"
            self.handled[number].update(found.offset for found in part.records)
            self.fences[number] = max(self.fences[number], to)
        return ready

    async def answer(
        self,
        ready: Sequence[Ready],
        recorded: Sequence[Ready],
        _: object,
        still_ours: Callable[[], None],
    ) -> Sequence[Ready]:
        """In place of pipeline.answer."""
        await self._some_turns()
        assert recorded is ready
        still_ours()
        return ready

    async def deliver(
        self, ready: Sequence[Ready], recorded: Sequence[Ready], sending: object, _: object
    ) -> None:
        """In place of pipeline.deliver: the positions move when the lists are out."""
        await self._some_turns()
        assert recorded is ready
        assert sending is ready
        for part in (one.part for one in ready):
            part.cursor.advance(part.records[-1].offset + 1)

    async def _some_turns(self) -> None:
        for _ in range(self.random.choice([0, 1, 3, 8, 20])):
            await asyncio.sleep(0)

    async def _positions(self, partitions: list[Partition]) -> Fences:
        await self._some_turns()
        return Fences(("0",), {tp: PartitionFences((self.fences[tp[1]],)) for tp in partitions})

    async def _first_offset(self, source: Partition, offset: int) -> int | None:
        await self._some_turns()
        if self.random.random() < 0.1:
            return None
        return min((n for n in self.there[source[1]] if n >= offset), default=None)

    async def _rewind(self) -> None:
        """As transport.perform_seek: to ask for bounds and to seek take turns of another thread."""
        await self._some_turns()
        bounds = {(TOPIC, p): LogBounds(0, None) for p in range(PARTITIONS)}
        positions: Mapping[Partition, int] = await self.worker.resume(bounds)
        await self._some_turns()
        for tp, offset in positions.items():
            self.at[tp[1]] = offset

    async def _fetch(self) -> None:
        while True:
            chunks = [chunk for p in self.at if (chunk := self._next(p)) is not None]
            await self._some_turns()  # a seek may come before they are handed over
            for chunk in chunks:
                self.fetched += 1
                ends = chunk.records[-1].offset == END - 1  # the loss of it would show later
                if ends or self.fetched not in self.lost:
                    await self.queue.put(chunk)
            await asyncio.sleep(0)

    def _next(self, partition: int) -> Chunk | None:
        offsets = sorted(n for n in self.there[partition] if n >= self.at[partition])[:FETCH]
        if not offsets:
            return None
        self.at[partition] = offsets[-1] + 1
        return Chunk(TOPIC, partition, [RECORDS[partition][n] for n in offsets])

    async def _deliver(self) -> None:
        while True:
            await self.worker.deliver([await self.queue.get()])


async def _no_records(_: Mapping[Partition, int]) -> dict[Partition, Any]:
    return {}


RECORDS = [[record(None, n, partition=p) for n in range(END)] for p in range(PARTITIONS)]


@pytest.mark.parametrize("first_seed", range(0, tries(200), SEEDS_PER_BATCH))
async def test_all_that_the_log_has_is_handled(
    first_seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(first_seed, first_seed + SEEDS_PER_BATCH):
        broker = LossyBroker(seed)
        monkeypatch.setattr("millstream.recommender.worker.prepare", broker.prepare)
        monkeypatch.setattr("millstream.recommender.worker.record", broker.record)
        monkeypatch.setattr("millstream.recommender.worker.answer", broker.answer)
        monkeypatch.setattr("millstream.recommender.worker.deliver", broker.deliver)
        run = await broker.run()
        assert run.ended_by is None, f"seed {seed}: {run.ended_by}"
        assert run.fences == dict.fromkeys(range(PARTITIONS), END), f"seed {seed}: stands still"
        assert run.handled == run.there, f"seed {seed}: lost"
