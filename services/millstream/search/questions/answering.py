"""START HERE. A question about the shop, answered from its catalogue, what buyers wrote and the
shopper's own list.

1. What is it after, and which words name an item? (asked.py)
2. Which items are those? Search finds what may be meant; an item is meant if it has all of the
   words. None, or too many: "I do not know". No words: the item that the shopper looks at.
3. The fields that answer it, as they stand now; each is told with the answer.

Nothing is guessed: what the fields do not say is not known. No text is made but from the sentences
below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.reviews import ReviewCounts
from millstream.search.index import Query
from millstream.search.questions.asked import Asked, Kind, asked
from millstream.search.segment import text_of
from millstream.search.spelling import Spelling
from millstream.search.terms import plain, words

UNKNOWN = "I do not know."
MOST = 5
"""So many items a question may be about: a category, but not the shop."""
_LOOKED_AT = 50
_CHEAPER = 3
_LONG = 4
"""Of so many words and more that name an item, one may be another's."""


class Listed(Struct, frozen=True):
    source: str
    reason: str


class Facts(Protocol):
    """Of one tenant and shopper."""

    async def find(self, query: Query) -> Sequence[CatalogueItem]:
        """The best first; nothing hidden."""
        ...

    def item(self, item_id: str) -> CatalogueItem | None: ...

    def reviews(self, item_id: str) -> ReviewCounts | None:
        """None where nobody has written one."""
        ...

    async def listed(self) -> dict[str, Listed]:
        """The shopper's list by item; none where no shopper is named."""
        ...


class Evidence(Struct, frozen=True):
    """`of`: `catalogue`, `reviews` or `list`. `fields` as they stood."""

    of: str
    item_id: str
    fields: dict[str, str | float | bool | None]


class Answered(Struct, frozen=True):
    """`items`: what the answer is about; `cheaper`: those that it names beside them."""

    kind: Kind
    known: bool
    text: str
    items: tuple[CatalogueItem, ...] = ()
    cheaper: tuple[CatalogueItem, ...] = ()
    sources: tuple[Evidence, ...] = ()


async def answer(question: str, facts: Facts, looked_at: str | None = None) -> Answered:
    """`looked_at`: the item that `it` and `this` mean."""
    said = asked(question)
    items = await _meant(said, facts, looked_at)
    if said.kind is Kind.STOCK and items:
        return _of_each(said.kind, items, "in_stock", _stock)
    if said.kind is Kind.PRICE and items:
        return _price(items)
    if said.kind is Kind.REVIEWS and items:
        return _reviews(items, facts)
    if said.kind is Kind.CHEAPER and len(items) == 1:
        return await _cheaper(items[0], facts)
    if said.kind is Kind.WHY and len(items) == 1:
        return _why(items[0], await facts.listed())
    return Answered(said.kind, False, UNKNOWN)


async def _meant(said: Asked, facts: Facts, looked_at: str | None) -> tuple[CatalogueItem, ...]:
    if said.kind is Kind.UNKNOWN:
        return ()
    if not said.named:
        item = None if looked_at is None else facts.item(looked_at)
        return () if item is None or item.hidden else (item,)
    found = await facts.find(Query(" ".join(said.named), _LOOKED_AT))
    missing = {item.item_id: _missing(said.named, item) for item in found}
    least = min(missing.values(), default=len(said.named))
    if least > (len(said.named) >= _LONG):
        return ()
    meant = tuple(item for item in found if missing[item.item_id] == least)
    return meant if len(meant) <= MOST else ()


def _missing(named: Sequence[str], item: CatalogueItem) -> int:
    """How many of the words it does not have, nor one that is a letter off."""
    own = {*words(text_of(item)), *words(plain(item.item_id))}
    near = Spelling(own)
    return sum(word not in own and not (word.isalpha() and near.near(word)) for word in named)


def _of_each(
    kind: Kind, items: Sequence[CatalogueItem], field: str, say: Callable[[CatalogueItem], str]
) -> Answered:
    sources = tuple(_catalogue(item, field) for item in items)
    return Answered(kind, True, " ".join(map(say, items)), tuple(items), (), sources)


def _stock(item: CatalogueItem) -> str:
    return f"{_name(item)} is {'in stock' if item.in_stock else 'out of stock'}."


def _name(item: CatalogueItem) -> str:
    return item.title or item.item_id


def _price(items: Sequence[CatalogueItem]) -> Answered:
    priced = [item for item in items if item.price is not None]
    if len(priced) < len(items):
        return Answered(Kind.PRICE, False, UNKNOWN)
    return _of_each(
        Kind.PRICE, priced, "price", lambda item: f"{_name(item)} costs {item.price:.2f}."
    )


def _reviews(items: Sequence[CatalogueItem], facts: Facts) -> Answered:
    counted = {item.item_id: facts.reviews(item.item_id) for item in items}
    told, sources = [], []
    for item in items:
        counts = counted[item.item_id]
        if counts is None or not counts.reviews:
            return Answered(Kind.REVIEWS, False, UNKNOWN)
        told.append(f"{counts.good} of {counts.reviews} reviewers like {_name(item)}.")
        fields = {"good": counts.good, "bad": counts.bad}
        sources.append(Evidence("reviews", item.item_id, {"title": item.title, **fields}))
    return Answered(Kind.REVIEWS, True, " ".join(told), tuple(items), (), tuple(sources))


async def _cheaper(item: CatalogueItem, facts: Facts) -> Answered:
    """Like it: of its category, or, where it has none, found by its title."""
    if item.price is None:
        return Answered(Kind.CHEAPER, False, UNKNOWN)
    query = Query(f"{item.title} {item.category}", _LOOKED_AT, item.price, in_stock=True)
    like = [
        other
        for other in await facts.find(query)
        if other.category == item.category and other.price is not None and other.price < item.price
    ][:_CHEAPER]
    if like:
        named = ", ".join(f"{_name(other)} ({other.price:.2f})" for other in like)
        text = f"{_name(item)} costs {item.price:.2f}. Cheaper and in stock: {named}."
    else:
        text = f"{_name(item)} costs {item.price:.2f}. Nothing like it is cheaper and in stock."
    fields = ("category", "price", "in_stock")
    sources = (_catalogue(item, "category", "price"), *(_catalogue(o, *fields) for o in like))
    return Answered(Kind.CHEAPER, True, text, (item,), tuple(like), sources)


def _why(item: CatalogueItem, listed: dict[str, Listed]) -> Answered:
    reason = listed.get(item.item_id)
    if reason is None:
        return Answered(Kind.WHY, False, UNKNOWN)
    source = Evidence("list", item.item_id, {"source": reason.source, "reason": reason.reason})
    return Answered(Kind.WHY, True, f"{_name(item)}: {reason.reason}.", (item,), (), (source,))


def _catalogue(item: CatalogueItem, *names: str) -> Evidence:
    fields = {name: getattr(item, name) for name in ("title", *names)}
    return Evidence("catalogue", item.item_id, fields)
