"""What is gathered across shoppers is what the replayed shop learns, written once."""

from __future__ import annotations

import asyncio

import pytest
from tests.builders import NOON_MS, TOPIC, arrival, decoded, event
from tests.unit.recommender.conftest import SLOTS, MemoryAffinities, MemoryStore, record

from millstream.counting.fenced import Recorded
from millstream.domain.deriving import DAY_MS, Deriving
from millstream.domain.events import EventType
from millstream.features.forward_decay import log_weight
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.recommender.derive import Deriver
from millstream.recommender.record import Recorder
from millstream.stores.affinities import NeighbourWrite
from millstream.stores.item_numbers import ItemNumbers

EVENTS = [
    event("e0", "ann", "a", at_ms=NOON_MS),
    event("e1", "bob", "b", "c", kind=EventType.PURCHASE, at_ms=NOON_MS + 1),
    event("e2", "ann", "b", at_ms=NOON_MS + 60_000),
    event("e3", "ann", "c", kind=EventType.ADD_TO_CART, at_ms=NOON_MS + 90_000),
    event("e4", "ann", kind=EventType.SEARCH, at_ms=NOON_MS + 95_000, query="q"),
]


@pytest.fixture
def numbers(store: MemoryStore) -> ItemNumbers:
    return store.numbers


@pytest.fixture
async def recorded(store: MemoryStore) -> Recorded:
    recorder = Recorder(store, store.numbers, SLOTS, lambda: NOON_MS)
    recorder.resume({(TOPIC, 0): [0] * SLOTS}, "0")
    return await record(recorder, decoded([arrival(e, n) for n, e in enumerate(EVENTS)]))


async def test_a_flush_writes_the_sums_of_what_was_counted(
    affinities: MemoryAffinities, numbers: ItemNumbers, recorded: Recorded
) -> None:
    deriver, shop = Deriver(affinities, numbers), ReplayedShop()
    deriver.gather(recorded)
    await deriver.flush()
    for one in EVENTS:
        shop.learn(one)
    ((tenant, pairs),) = affinities.pairs
    assert tenant == "default"
    assert pairs.keys() == set("abc")
    for item, others in pairs.items():
        assert others == pytest.approx(dict(shop.neighbours(item)), abs=1e-9)
    ((_, liked),) = affinities.liked
    assert liked == pytest.approx(dict(shop.popular()), abs=1e-9)
    assert affinities.tenants == ["default"]


async def test_it_derives_as_the_deployment_says(
    affinities: MemoryAffinities, numbers: ItemNumbers, recorded: Recorded
) -> None:
    deriving = Deriving({EventType.ADD_TO_CART: 7.0}, popular_half_life_ms=DAY_MS)
    deriver = Deriver(affinities, numbers, deriving=deriving)
    for _ in range(2):  # what comes after a flush, too
        deriver.gather(recorded)
        await deriver.flush()
    cart_ms = NOON_MS + 90_000
    expected = {"c": log_weight(7.0, cart_ms, DAY_MS)}
    assert [liked for _, liked in affinities.liked] == [pytest.approx(expected, abs=1e-9)] * 2


async def test_nothing_is_written_twice(
    affinities: MemoryAffinities, numbers: ItemNumbers, recorded: Recorded
) -> None:
    deriver = Deriver(affinities, numbers)
    deriver.gather(recorded)
    await deriver.flush()
    await deriver.flush()
    assert (len(affinities.pairs), len(affinities.liked), len(affinities.tenants)) == (1, 1, 1)


async def test_what_was_not_counted_is_not_gathered(
    affinities: MemoryAffinities, numbers: ItemNumbers, recorded: Recorded
) -> None:
    deriver = Deriver(affinities, numbers)
    deriver.gather(Recorded([], [], recorded.due, recorded.states, recorded.verdicts))
    await deriver.flush()
    assert (affinities.pairs, affinities.liked) == ([], [])


async def test_sums_are_made_beside_the_chunks(
    affinities: MemoryAffinities, numbers: ItemNumbers, recorded: Recorded
) -> None:
    deriver = Deriver(affinities, numbers)
    running = asyncio.create_task(deriver.run())
    deriver.gather(recorded)
    async with asyncio.timeout(5):
        while deriver._waiting:  # noqa: ASYNC110  nothing tells it but the queue
            await asyncio.sleep(0.001)
    await deriver.flush()
    assert len(affinities.pairs) == 1
    running.cancel()


async def test_whose_neighbours_changed_is_told_after_the_write(
    affinities: MemoryAffinities, numbers: ItemNumbers, recorded: Recorded
) -> None:
    told: list[tuple[str, set[str]]] = []
    deriver = Deriver(affinities, numbers, lambda tenant, items: told.append((tenant, set(items))))
    deriver.gather(recorded)
    await deriver.flush()
    assert told == [(tenant, set(pairs)) for tenant, pairs in affinities.pairs]
    assert told


async def test_what_a_cancelled_flush_left_is_written_by_the_next(
    affinities: MemoryAffinities,
    numbers: ItemNumbers,
    recorded: Recorded,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("millstream.stores.affinities.ITEMS_A_CALL", 1)
    began = asyncio.Event()

    async def written_slowly(write: NeighbourWrite) -> None:
        await MemoryAffinities.add_neighbours(affinities, write)
        began.set()

    monkeypatch.setattr(affinities, "add_neighbours", written_slowly)
    deriver = Deriver(affinities, numbers)
    deriver.gather(recorded)
    flushing = asyncio.create_task(deriver.flush(share=1e-9))  # rests for seconds after one write
    await asyncio.wait_for(began.wait(), 5)
    flushing.cancel()
    await asyncio.wait([flushing])
    assert len(affinities.pairs) == 1
    await deriver.flush()
    assert sorted(item for _, pairs in affinities.pairs for item in pairs) == ["a", "b", "c"]
    assert len(affinities.liked) == 1
