"""The newest counts of reviews in memory."""

from __future__ import annotations

from millstream.domain.reviews import ReviewCounts
from millstream.stores.item_book import ItemBook


class ReviewBook(ItemBook[ReviewCounts]):
    def __init__(self) -> None:
        super().__init__(ReviewCounts)

    def items(self) -> set[tuple[str, str]]:
        """(tenant, item) of all with counts."""
        return {(tenant, item) for tenant, counts in self._records.items() for item in counts}
