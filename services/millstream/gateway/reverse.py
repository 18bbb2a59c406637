"""Which shopper a pseudonym is: written before the first event goes out under it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AsyncExitStack

from millstream.domain.acceptance import Shopper
from millstream.domain.errors import OperatorError
from millstream.gateway.settings import GatewaySettings
from millstream.privacy.reverse_table import ReverseTable, create_master_key, load_master_key
from millstream.stores.reverse_rows import SqliteRows

REMEMBERED = 100_000


class Reverse:
    """The reverse table beside the event loop, with those in memory that surely stand in it."""

    def __init__(self, table: ReverseTable) -> None:
        self._table = table
        self._known: OrderedDict[Shopper, None] = OrderedDict()
        self._lock = asyncio.Lock()

    async def remember(self, tenant: str, known_as: Sequence[tuple[str, str]]) -> None:
        """(pseudonym, raw id) pairs; on the disk when it returns. Raises OperatorError as the
        table."""
        new = [pair for pair in known_as if (tenant, pair[0]) not in self._known]
        if not new:
            return
        async with self._lock:  # an erasure comes before or after, not between
            await asyncio.to_thread(self._table.remember_all, tenant, new)
            for pseudonym, _ in new:
                self._known[tenant, pseudonym] = None
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    async def raw_id(self, tenant: str, pseudonym: str) -> str | None:
        return await asyncio.to_thread(self._table.raw_id, tenant, pseudonym)

    async def destroy(self, shoppers: Sequence[Shopper]) -> None:
        """Entries and keys of the erased; who comes back is written anew."""
        async with self._lock:
            for shopper in shoppers:
                self._known.pop(shopper, None)
                await asyncio.to_thread(self._table.destroy, *shopper)


def opened_reverse(stack: AsyncExitStack, settings: GatewaySettings) -> Reverse | None:
    """None where no table is kept; `stack` closes it. At the first start, when nothing is sealed
    yet, the master key is made where it is missing. Raises OperatorError where it is missing
    beside a table, and for a file that is not ours."""
    if settings.reverse_table is None or not settings.gateway_pseudonyms:
        return None
    if settings.reverse_master_key is None:
        raise OperatorError(
            "setting MILLSTREAM_REVERSE_MASTER_KEY",
            "nothing, beside a reverse table",
            "the file of the key that opens it",
            "Make it with `millstream keys reverse`",
        )
    if not settings.reverse_table.exists() and not settings.reverse_master_key.exists():
        create_master_key(settings.reverse_master_key)
    master = load_master_key(settings.reverse_master_key)
    rows = SqliteRows(settings.reverse_table)
    stack.callback(rows.close)
    return Reverse(ReverseTable(rows, master))
