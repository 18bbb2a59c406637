"""Two releases at once, with two contract versions and two programs, on the same shoppers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

import pytest
from msgspec.structs import replace as changed
from redis.asyncio import Redis
from tests.builders import NOON_MS, arrival, decoded, event

from millstream.counting.fenced import Prepared
from millstream.features.sign_ins import SIGN_INS, SignIn
from millstream.features.state import USER_FEATURES
from millstream.features.type_counts import TYPE_COUNTS
from millstream.features.writes import Write, compile_program
from millstream.local.chaos.faulty_store import SLOTS, FaultyStore
from millstream.local.chaos.mutants import SOURCE
from millstream.local.chaos.schedules import Schedule
from millstream.local.valkey import Valkey
from millstream.recommender.record import Recorder
from millstream.stores.feature_store import FeatureStore, SlotCall, SlotReply, Status
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.redis import connect
from millstream.streaming.decode import Decoded

SCHEDULES = 60
LISTS = (Write.RECENT, Write.LINKS)
KNOWN = tuple(feature for feature in USER_FEATURES if feature.write not in LISTS)
"""What the older release counts: a program only grows at its end."""


class CountedStore(FaultyStore):
    answered: ClassVar[Counter[str]] = Counter()

    async def apply(self, calls: Sequence[SlotCall], epoch: str = "0") -> list[SlotReply]:
        replies = await super().apply(calls, epoch)
        self.answered[self.contract] += sum(reply.status is Status.OK for reply in replies)
        return replies


class OlderStore(CountedStore):
    contract = "recs_apply_v1"
    program = compile_program(KNOWN)


class NewerStore(CountedStore):
    contract = "recs_apply_v2"


class OlderRecorder(Recorder):
    """Its calls know no anonymous id beside a user's."""

    async def prepare(self, decoded: Decoded) -> Prepared:
        arrivals = [
            changed(one, event=changed(one.event, anonymous_id=None)) for one in decoded.arrivals
        ]
        return await super().prepare(replace(decoded, arrivals=arrivals))


class RollingUpdate(Schedule):
    """Of any two workers that follow each other one is of the other release."""

    def __init__(self, redis: Redis, keys: Keys, seed: int) -> None:
        self._started = 0
        super().__init__(redis, keys, seed)

    def _recorder(self) -> Recorder:
        self._started += 1
        older = self._started % 2
        kind = OlderStore if older else NewerStore
        store = kind(self._redis, self._keys, len(self._ends), self.rng)
        store.fault_rate, store.held_back = self.store.fault_rate, self.store.held_back
        recorder = OlderRecorder if older else Recorder
        return recorder(store, self._numbers, SLOTS, lambda: self.rng.randrange(10_000))


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
        await client.function_load(SOURCE, replace=True)
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


async def test_what_the_older_release_counts_leaves_a_link_as_it_was(server: Valkey) -> None:
    """Also where it knows all the fields before it."""
    async with aclosing(connect(server.url)) as client:
        await client.function_load(SOURCE, replace=True)
        numbers, keys = ItemNumbers(client, Keys("link.")), Keys("link.")
        older, newer = (FeatureStore(client, keys, 1, 1) for _ in range(2))
        older.contract, older.program = "recs_apply_v1", compile_program(USER_FEATURES[:-1])
        for offset, store in enumerate((older, newer, older)):
            kind = OlderRecorder if store is older else Recorder
            recorder = kind(store, numbers, 1, lambda: 0)
            what = event(f"e{offset}", "ann", "a", anonymous_id=f"cookie-{offset}")
            taken = decoded([arrival(what, offset)], start=offset)
            recorder.resume({(taken.topic, 0): [offset]}, "0")
            recorded = await recorder.record([await recorder.prepare(taken)])
            assert recorded.verdicts == {"a": 1}
        state = await newer.shopper("default", "ann")
    assert state.read(SIGN_INS, 0) == (SignIn("cookie-1", NOON_MS),)
    assert sum(state.read(TYPE_COUNTS, 0).values()) == 3
