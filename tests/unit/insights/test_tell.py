"""Counts of reviews to their topic: what changed, and all of it after a crash."""

from __future__ import annotations

from collections.abc import Collection

from millstream.domain.reviews import ReviewCounts
from millstream.insights.reviews.tell import CountTeller
from millstream.stores.review_book import ReviewBook

Item = tuple[str, str]


class Store:
    """Totals are behind the counts until they are swept."""

    def __init__(self) -> None:
        self.counted: dict[Item, tuple[int, int]] = {}
        self._swept: dict[Item, tuple[int, int]] = {}

    async def sweep_dirty(self) -> int:
        self._swept = dict(self.counted)
        return 0

    sweep_all = sweep_dirty

    async def read(self, items: Collection[Item]) -> list[ReviewCounts]:
        return [
            ReviewCounts(tenant=t, item_id=i, good=good, bad=bad)
            for t, i in items
            for good, bad in [self._swept.get((t, i), (0, 0))]
        ]

    async def items(self) -> set[Item]:
        return set(self.counted)


class Topic:
    def __init__(self, book: ReviewBook) -> None:
        self.book = book
        self.sent: list[bytes] = []

    async def send_and_wait(self, topic: str, value: bytes | None, key: bytes) -> None:
        assert topic == "counts"
        self.sent.append(key)
        self.book.take(key, value)


MUG, POT = ("shop", "mug"), ("shop", "pot")


async def test_what_changed_is_told_and_what_is_the_same_is_not() -> None:
    store, book = Store(), ReviewBook()
    topic = Topic(book)
    teller = CountTeller(store, store, book, topic, "counts")
    store.counted = {MUG: (1, 0), POT: (0, 2)}
    teller.changed([MUG])
    await teller.tell()
    assert topic.sent == [b"shop:mug"]
    teller.changed([MUG])
    await teller.tell()
    await teller.tell()
    assert topic.sent == [b"shop:mug"]
    await teller.tell_all()
    assert topic.sent == [b"shop:mug", b"shop:pot"]
    told = book.get("shop", "pot")
    assert told is not None
    assert (told.good, told.bad) == (0, 2)


async def test_what_a_process_that_died_did_not_tell_and_what_is_gone() -> None:
    store, book = Store(), ReviewBook()
    topic = Topic(book)
    store.counted = {MUG: (3, 1)}
    teller = CountTeller(store, store, book, topic, "counts")
    await teller.tell_all()
    store.counted = {POT: (1, 1)}  # the store was emptied, and counts anew
    await CountTeller(store, store, book, topic, "counts").tell_all()
    assert book.items() == {POT}
