"""A stored list that can't be made anew serves as it is, and Redis is not taken to be away."""

from __future__ import annotations

from collections.abc import Mapping
from struct import pack

import pytest
from structlog.testing import capture_logs
from tests.unit.gateway.test_remade_lists import ANN, OLD, Lists

from millstream.domain.acceptance import Shopper
from millstream.gateway import telemetry
from millstream.gateway.live_ranking import Made
from millstream.gateway.remade_lists import Freshness
from millstream.gateway.ruled_lists import Ruled
from millstream.gateway.shelf import Shelf
from millstream.gateway.stored_lists import StoredLists
from millstream.stores.cached_shop import CachedShop
from millstream.stores.item_numbers import ItemNumbers
from millstream.stores.rule_book import RuleBook
from millstream.stores.served_lists import ServedLists

STORED = pack(">QIQ", *OLD) + b"\x04none" + pack(">IeB", 7, 0.5, 0)


class Numbers(ItemNumbers):
    def __init__(self) -> None:
        pass

    def names(self, tenant: str) -> Mapping[int, str]:  # noqa: ARG002
        return {7: "mug"}


class Served(ServedLists):
    def __init__(self) -> None:
        self.asked, self._numbers = 0, Numbers()

    async def packed(self, tenant: str, shopper: str) -> bytes | None:
        assert (tenant, shopper) == ANN
        self.asked += 1
        return STORED


class Remade(Lists):
    """Which a test breaks."""

    trouble: Exception | None = None

    async def of(self, name: Shopper, freshness: Freshness) -> Made | None:
        if self.trouble is not None:
            raise self.trouble
        return await super().of(name, freshness)


def no_shop(_tenant: str) -> CachedShop:
    raise AssertionError("nothing popular is asked for")


async def shown(lists: StoredLists) -> tuple[list[str], bool]:
    found = await lists.find(*ANN, 5)
    return [item.item_id for item in found.items], found.stale


@pytest.mark.parametrize("trouble", [ValueError("a bug"), ConnectionError("of another read")])
async def test_what_fails_to_be_made_anew_serves_as_it_is_stored(trouble: Exception) -> None:
    served, remade = Served(), Remade()
    book, shelf = RuleBook(lambda: 0), Shelf(no_shop, lambda: ())
    book.take(b"shop:one-that-is-gone", None)
    ruled = Ruled(book, lambda *_: None)
    lists = StoredLists(served, shelf, "t.events", "usual", ruled, remade)
    failed = telemetry.NOT_REMADE._value.get
    before, remade.trouble = failed(), trouble
    with capture_logs() as logs:
        assert [await shown(lists) for _ in range(3)] == [(["mug"], False)] * 3
        assert served.asked == 3, "Redis answers, and is asked"
        assert failed() == before + 3
        remade.trouble = None
        assert await shown(lists) == (["i1"], False)
    assert [line["event"] for line in logs] == ["stored lists serve as they are"]
