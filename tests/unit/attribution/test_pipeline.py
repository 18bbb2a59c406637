"""A portion's way from what waits to what is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from tests.unit.attribution.test_join import ANN, NOON_MS, did, made

from millstream.attribution.log import Acted, Partition, Shown, TwoTopics
from millstream.attribution.order import EVER, Waiting
from millstream.attribution.pipeline import Stages, handle
from millstream.domain.events import EventType
from millstream.domain.identity import ShopperName
from millstream.stores.attributions import Attributions, Portion


class Store:
    """As stores/attributions.py: takes only what goes on where it stands."""

    def __init__(self) -> None:
        self.stands = (0, 0)
        self.kept: dict[ShopperName, bytes | None] = {}
        self.enrolments: dict[ShopperName, bytes | None] = {}
        self.counted = 0

    async def held(
        self, _partition: int, names: Iterable[ShopperName]
    ) -> dict[ShopperName, bytes | None]:
        return {name: self.kept.get(name) for name in names}

    async def enrolled(
        self, _partition: int, names: Iterable[ShopperName]
    ) -> dict[ShopperName, bytes | None]:
        return {name: self.enrolments.get(name) for name in names}

    async def write(self, portion: Portion) -> None:
        assert portion.stood == self.stands
        self.stands = portion.stands
        self.kept.update(portion.held)
        self.enrolments.update(portion.enrolled)
        self.counted += sum(counts.total() for counts in portion.counts.values())


def stages_on(store: Store) -> Stages:
    return Stages(cast(TwoTopics, None), cast(Attributions, store), lambda: NOON_MS)


async def test_portions_follow_each_other_over_records_that_could_not_be_read() -> None:
    store = Store()
    partition = Partition(3, Waiting(0, EVER), Waiting(0, EVER), (0, 0))
    partition.lists.records.append((0, NOON_MS, Shown(ANN, made("l1", "a"))))
    assert await handle(partition, stages_on(store))
    assert store.stands == (1, 0)
    partition.events.next = 7  # dead letters, passed over
    clicked = did(EventType.SELECT_ITEM, "a", of="l1")
    partition.events.records.append((7, NOON_MS + 1, Acted(ANN, clicked, NOON_MS + 1)))
    before = store.counted
    assert await handle(partition, stages_on(store))
    assert (store.stands, store.counted) == ((1, 8), before + 1)
    assert not await handle(partition, stages_on(store))


async def test_what_is_held_goes_from_one_portion_to_the_next() -> None:
    store = Store()
    partition = Partition(0, Waiting(0, EVER), Waiting(0, EVER), (0, 0))
    partition.lists.records.append((0, NOON_MS, Shown(ANN, made("l1", "a"))))
    await handle(partition, stages_on(store))
    counted = store.counted
    partition.lists.records.append((1, NOON_MS, Shown(ANN, made("l1", "a"))))
    await handle(partition, stages_on(store))
    assert store.counted == counted, "the list went out twice"
