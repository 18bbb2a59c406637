"""What the topic of counts tells, newest first."""

from __future__ import annotations

import msgspec

from millstream.domain.reviews import ReviewCounts
from millstream.stores.review_book import ReviewBook


def counts(good: int, item: str = "mug") -> bytes:
    made = ReviewCounts(tenant="shop", item_id=item, good=good, bad=1)
    return msgspec.json.encode(made)


def test_the_last_record_of_an_item_counts_and_a_null_takes_it_away() -> None:
    book = ReviewBook()
    book.take(b"shop:mug", counts(1))
    book.take(b"shop:mug", counts(2))
    book.take(b"shop:pot", counts(5, "pot"))
    held = book.get("shop", "mug")
    assert held is not None
    assert held.good == 2
    assert book.get("other", "mug") is None
    edition = book.edition
    book.take(b"shop:mug", None)
    assert book.get("shop", "mug") is None
    assert book.edition > edition
    assert book.items() == {("shop", "pot")}


def test_what_is_no_counts_is_passed_over() -> None:
    book = ReviewBook()
    for value in (b"{", b"\xff", b'{"tenant": "shop"}', b"[" * 10_000):
        book.take(b"shop:mug", value)
    assert (book.refused, book.items()) == (4, set())
    book.take(b"\xff", None)
