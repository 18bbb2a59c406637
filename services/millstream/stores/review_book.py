"""The newest counts of reviews in memory, per tenant, as their topic says; later records win."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from millstream.domain.reviews import ReviewCounts

_COUNTS = msgspec.json.Decoder(ReviewCounts)


class ReviewBook:
    def __init__(self) -> None:
        self._counts: dict[str, dict[str, ReviewCounts]] = defaultdict(dict)
        self.refused = 0
        self.edition = 0
        """Rises with every record that was taken."""

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. What does not read as counts is counted and passed over."""
        self.edition += 1
        if value is None:
            tenant, _, item_id = (key or b"").decode(errors="replace").partition(":")
            self._counts[tenant].pop(item_id, None)
            return
        try:
            counts = _COUNTS.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.refused += 1
            return
        self._counts[counts.tenant][counts.item_id] = counts

    def get(self, tenant: str, item_id: str) -> ReviewCounts | None:
        counts = self._counts.get(tenant)
        return counts.get(item_id) if counts else None

    def items(self) -> set[tuple[str, str]]:
        """(tenant, item) of all with counts."""
        return {(tenant, item) for tenant, counts in self._counts.items() for item in counts}
