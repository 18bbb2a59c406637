"""A shopper's question, answered from the catalogue as it stands and the shopper's own list."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.reviews import ReviewCounts
from millstream.gateway.browsing import ShelfItem, shelf_item
from millstream.gateway.callers import Caller
from millstream.gateway.hot_lists import STORED_N
from millstream.gateway.lists import Lists
from millstream.gateway.searching import Searching
from millstream.gateway.selection import Wanted
from millstream.search.index import Query
from millstream.search.questions.answering import Evidence, Listed, answer
from millstream.search.questions.asked import Kind


class QuestionAnswer(Struct, frozen=True):
    """`known`: false where `text` is "I do not know."; nothing else is told then. `items`: what the
    answer is about; `cheaper`: what it names beside them. `sources`: the fields it rests on, of the
    `catalogue`, of the `reviews` or of the shopper's `list`."""

    kind: Kind
    known: bool
    text: str
    items: tuple[ShelfItem, ...]
    cheaper: tuple[ShelfItem, ...]
    sources: tuple[Evidence, ...]


class Asking:
    """Raises what Redis raises where a list is asked about."""

    def __init__(
        self,
        searching: Searching,
        lists: Lists,
        item_of: Callable[[str, str], CatalogueItem | None],
        reviews_of: Callable[[str, str], ReviewCounts | None],
    ) -> None:
        self._searching = searching
        self._lists = lists
        self._item_of = item_of
        self._reviews_of = reviews_of

    async def answer(
        self, caller: Caller, question: str, user: str | None, looked_at: str | None
    ) -> QuestionAnswer:
        """`user`: the raw id."""
        facts = _Facts(self._searching, self._lists, self._item_of, self._reviews_of, caller, user)
        told = await answer(question, facts, looked_at)
        items, cheaper = (tuple(map(shelf_item, some)) for some in (told.items, told.cheaper))
        return QuestionAnswer(told.kind, told.known, told.text, items, cheaper, told.sources)


class _Facts(Struct, frozen=True):
    """Implements answering.Facts."""

    searching: Searching
    lists: Lists
    item_of: Callable[[str, str], CatalogueItem | None]
    reviews_of: Callable[[str, str], ReviewCounts | None]
    caller: Caller
    user: str | None

    async def find(self, query: Query) -> Sequence[CatalogueItem]:
        return [hit.item for hit in await self.searching.hits(self.caller.tenant, query)]

    def item(self, item_id: str) -> CatalogueItem | None:
        return self.item_of(self.caller.tenant, item_id)

    def reviews(self, item_id: str) -> ReviewCounts | None:
        return self.reviews_of(self.caller.tenant, item_id)

    async def listed(self) -> dict[str, Listed]:
        if self.user is None:
            return {}
        told = await self.lists.of_user(self.caller, self.user, Wanted(STORED_N), explain=True)
        return {item.item_id: Listed(item.source, item.reason or "") for item in told.items}
