"""The smaller functions of the library: erasures, epochs, item numbers, served lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.builders import NOON_MS, TOPIC
from tests.contract.test_functions import SHOPPER, apply, call, erase, purchase

from millstream.domain.lists import Origin, RankedItem, RecommendationList, Source
from millstream.features.recent_items import RECENT_ITEMS
from millstream.stores import item_numbers
from millstream.stores.calls import fcall
from millstream.stores.feature_store import FeatureStore, Status
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.keys import Keys
from millstream.stores.served_lists import ServedLists


@pytest.fixture
def numbers(redis: Redis, keys: Keys) -> ItemNumbers:
    return ItemNumbers(redis, keys)


# ---------------------------------------------------------------- recs_erase_v1, recs_epoch_v1


async def test_an_erasure_known_before_the_log_is_read_keeps_its_events_out(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    names = [keys.erased(0), keys.shopper(0, *SHOPPER), keys.event_ids(0, *SHOPPER)]
    names.append(keys.served_list(0, *SHOPPER))
    for mark, in_force in ((NOON_MS, NOON_MS), (NOON_MS - 5, NOON_MS)):
        told = await fcall(redis, "recs_erase_v1", names, [":".join(SHOPPER), mark])
        assert int(told) == in_force
    reply = await apply(
        store,
        call(0, 2, purchase(0, "e1", "a"), purchase(1, "e2", "a", at_ms=NOON_MS + 1)),
    )
    assert reply.verdicts == "ea"


async def test_the_event_of_a_mark_that_is_known_already_counts_once(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    """Else its retry, from a shop whose clock is ahead, would erase once more."""
    names = [keys.erased(0), keys.shopper(0, *SHOPPER), keys.event_ids(0, *SHOPPER)]
    names.append(keys.served_list(0, *SHOPPER))
    await fcall(redis, "recs_erase_v1", names, [":".join(SHOPPER), NOON_MS])
    ahead = NOON_MS + 60_000
    reply = await apply(
        store,
        call(
            0,
            4,
            erase(0, "x", ahead, NOON_MS),
            erase(1, "x", ahead, NOON_MS),  # the producer's own retry
            purchase(2, "e1", "a", at_ms=ahead + 5),
            erase(3, "x", ahead, NOON_MS + 9),
        ),
    )
    assert reply.verdicts == "aead"


async def test_a_repeat_in_the_same_millisecond_counts_once(store: FeatureStore) -> None:
    ops = [erase(0, "x", NOON_MS, NOON_MS), erase(1, "x", NOON_MS, NOON_MS)]
    assert (await apply(store, call(0, 2, *ops))).verdicts == "ae"


async def test_an_epoch_changes_once_and_takes_the_clocks_with_it(
    redis: Redis, keys: Keys, store: FeatureStore
) -> None:
    await apply(store, call(0, 5, purchase(3, "e1", "a")))
    names = [keys.fences(0), keys.clocks(0)]
    assert await fcall(redis, "recs_epoch_v1", names, ["1", "2"]) == b"0"
    assert await redis.exists(keys.clocks(0))
    assert await fcall(redis, "recs_epoch_v1", names, ["0", "1"]) == b"1"
    assert not await redis.exists(keys.clocks(0))
    (reply,) = await store.apply([call(5, 6)], epoch="0")
    assert reply.status is Status.EPOCH
    (reply,) = await store.apply([call(0, 6, purchase(3, "e1", "a"))], epoch="1")
    assert (reply.status, reply.verdicts) == (Status.OK, "d"), "ids outlive the epoch"


# ---------------------------------------------------------------- recs_items_v1


async def test_each_item_has_one_number_for_all_workers_and_for_ever(
    redis: Redis, keys: Keys, numbers: ItemNumbers
) -> None:
    items = [f"item-{n}" for n in range(300)]
    await numbers.learn("default", items)
    held = {item: numbers.numbered("default")[item][0] for item in items}
    assert len(set(held.values())) == len(items)
    other = ItemNumbers(redis, keys)
    await other.learn("default", reversed(items))
    assert {item: other.numbered("default")[item][0] for item in items} == held


async def test_items_that_prefer_the_same_number_get_two(
    numbers: ItemNumbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_numbers, "preferred_number", lambda _item: 2**28 - 1)
    await numbers.learn("default", ["a", "b", "c"])
    found = [numbers.numbered("default")[item][0] for item in "abc"]
    assert found == [2**28 - 1, 0, 1]


async def test_a_worker_learns_the_items_that_others_met(
    redis: Redis, keys: Keys, store: FeatureStore, numbers: ItemNumbers
) -> None:
    await redis.sadd(keys.tenants(), "default")
    await numbers.learn("default", ["a", "b"])
    taken = dict(numbers.names("default"))
    op = purchase(0, "e1", "a")
    reply = await apply(store, call(0, 1, op))
    other = ItemNumbers(redis, keys)
    await other.load()
    assert dict(other.names("default")) == taken
    assert reply.states[0]
    state = await store.shopper(*SHOPPER)
    assert state.read(RECENT_ITEMS, NOON_MS) == (), "without names no item is told"


# ---------------------------------------------------------------- recs_put_v1


def ranked(offset: int, log_ms: int = NOON_MS, **given: Any) -> RecommendationList:
    when = datetime.fromtimestamp(log_ms / 1000, UTC)
    return RecommendationList(
        recommendation_id="r",
        tenant="default",
        user="ann",
        variant="main",
        items=(
            RankedItem("a", 0.75, Source.COVISITED, "because"),
            RankedItem("b", 0.5, Source.POPULAR, "popular"),
        ),
        model_version=given.get("model_version", "7"),
        settings_digest="s",
        origin=Origin(TOPIC, given.get("partition", 0), offset),
        event_time=when,
        log_time=when,
        published_at=when,
    )


async def test_of_two_lists_the_newer_is_served_in_whatever_order_they_come(
    redis: Redis, keys: Keys, numbers: ItemNumbers
) -> None:
    lists = ServedLists(redis, keys, 4, numbers)
    newest = (NOON_MS + 5, 1, 2)
    order = [
        ranked(9, NOON_MS),
        ranked(2, NOON_MS + 5, partition=1, model_version="8"),
        ranked(1, NOON_MS + 5, partition=1),
        ranked(900, NOON_MS + 5, partition=0),
        ranked(901, NOON_MS + 4, partition=2),
    ]
    for one in order:
        await lists.put([one])
    served = await lists.get("default", "ann")
    assert served is not None
    assert (served.freshness, served.model_version, served.variant) == (newest, "8", "main")
    found = [(item.item_id, item.score, item.source) for item in served.items]
    assert found == [("a", 0.75, Source.COVISITED), ("b", 0.5, Source.POPULAR)]


async def test_a_list_from_before_the_erasure_is_not_served(
    redis: Redis, keys: Keys, numbers: ItemNumbers
) -> None:
    lists = ServedLists(redis, keys, 1, numbers)
    await redis.hset(keys.erased(0), ":".join(SHOPPER), str(NOON_MS))
    await lists.put([ranked(9, NOON_MS)])
    assert await lists.get(*SHOPPER) is None
    await lists.put([ranked(9, NOON_MS + 1)])
    assert await lists.get(*SHOPPER) is not None


async def test_twenty_items_take_some_160_bytes(
    redis: Redis, keys: Keys, numbers: ItemNumbers
) -> None:
    lists = ServedLists(redis, keys, 1, numbers)
    items = tuple(RankedItem(f"i{n}", 1 / (n + 1), Source.POPULAR, "r") for n in range(20))
    whole = RecommendationList(
        **{f: getattr(ranked(1), f) for f in RecommendationList.__struct_fields__}
        | {"items": items}
    )
    await lists.put([whole])
    assert await redis.strlen(keys.served_list(0, *SHOPPER)) <= 170


async def test_a_list_that_was_stored_without_a_variant_is_served(
    redis: Redis, keys: Keys, numbers: ItemNumbers
) -> None:
    """As in the first seconds of an update."""
    lists = ServedLists(redis, keys, 1, numbers)
    await lists.put([ranked(9)])
    packed = await lists.packed(*SHOPPER)
    assert packed is not None
    assert packed[20:27] == b"\x067\nmain"
    await redis.set(keys.served_list(0, *SHOPPER), packed[:20] + b"\x017" + packed[27:])
    served = await lists.get(*SHOPPER)
    assert served is not None
    assert (served.model_version, served.variant) == ("7", "")
    assert [item.item_id for item in served.items] == ["a", "b"]
