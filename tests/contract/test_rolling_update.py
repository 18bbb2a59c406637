"""Two releases at once, with two contract versions and two programs, on the same shoppers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

import pytest
from redis.asyncio import Redis

from millstream.features.state import USER_FEATURES
from millstream.features.writes import Write, compile_program
from millstream.local.chaos.faulty_store import SLOTS, FaultyStore
from millstream.local.chaos.mutants import SOURCE
from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.recommender.record import Recorder
from millstream.stores.feature_store import SlotCall, SlotReply, Status
from millstream.stores.keys import Keys
from millstream.stores.redis import connect

SCHEDULES = 60
KNOWN = tuple(feature for feature in USER_FEATURES if feature.write is not Write.RECENT)
"""What the older release counts: a program only grows at its end."""
BOTH = f"{SOURCE}\nredis.register_function('recs_apply_v2', apply)\n"


class CountedStore(FaultyStore):
    answered: ClassVar[Counter[str]] = Counter()

    async def apply(self, calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        replies = await super().apply(calls, epoch)
        self.answered[self.contract] += sum(reply.status is Status.OK for reply in replies)
        return replies


class OlderStore(CountedStore):
    program = compile_program(KNOWN)


class NewerStore(CountedStore):
    contract = "recs_apply_v2"


class RollingUpdate(Schedule):
    """Of any two workers that follow each other one is of the other release."""

    def __init__(self, redis: Redis, keys: Keys, seed: int) -> None:
        self._started = 0
        super().__init__(redis, keys, seed)

    def _recorder(self) -> Recorder:
        self._started += 1
        kind = OlderStore if self._started % 2 else NewerStore
        store = kind(self._redis, self._keys, len(self._ends), self.rng)
        store.fault_rate, store.held_back = self.store.fault_rate, self.store.held_back
        return Recorder(store, self._numbers, SLOTS, lambda: self.rng.randrange(10_000))


@pytest.fixture(scope="module")
def server() -> Iterator[Valkey]:
    with Valkey() as started:
        yield started


async def test_what_both_releases_count_stays_exact(server: Valkey) -> None:
    assert USER_FEATURES[: len(KNOWN)] == KNOWN
    CountedStore.answered.clear()
    unknown = {feature.name for feature in USER_FEATURES[len(KNOWN) :]}
    client = connect(server.url)
    try:
        await client.function_load(BOTH, replace=True)
        for seed in range(SCHEDULES):
            schedule = RollingUpdate(client, Keys(f"{seed}."), seed)
            await schedule.run()
            wrong = [
                problem
                for problem in await schedule.problems()
                if not any(f" {name}: " in problem for name in unknown)
            ]
            assert not wrong, f"seed {seed}"
            await schedule.forget()
        least = min(CountedStore.answered[kind.contract] for kind in (OlderStore, NewerStore))
        assert least > 10 * SCHEDULES, "both releases counted"
        stats = await client.info("commandstats")
        assert stats["cmdstat_fcall"]["failed_calls"] == 0
    finally:
        await client.aclose()
