"""The newest record of each item in memory, per tenant, as a compacted topic says it."""

from __future__ import annotations

from collections import defaultdict
from typing import Generic, Protocol, TypeVar

import msgspec


class OfItem(Protocol):
    @property
    def tenant(self) -> str: ...
    @property
    def item_id(self) -> str: ...


T = TypeVar("T", bound=OfItem)


class ItemBook(Generic[T]):
    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self._records: dict[str, dict[str, T]] = defaultdict(dict)
        self.refused = 0
        self.edition = 0
        """Rises with every record that was taken."""

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """A record of the topic. What does not read as one is counted and passed over."""
        self.edition += 1
        if value is None:
            tenant, _, item_id = (key or b"").decode(errors="replace").partition(":")
            self._records[tenant].pop(item_id, None)
            return
        try:
            record = self._decoder.decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.refused += 1
            return
        self._records[record.tenant][record.item_id] = record

    def get(self, tenant: str, item_id: str) -> T | None:
        records = self._records.get(tenant)
        return records.get(item_id) if records else None
