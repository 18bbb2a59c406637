from __future__ import annotations

import pytest
from tests.builders import NOON_MS, event

from millstream.domain.deriving import USUAL
from millstream.domain.events import Event, EventType
from millstream.ranking.items import ItemTable
from millstream.ranking.settings import RankingSettings
from millstream.trainer.stream.derived import shared
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.proposals import Proposals
from millstream.trainer.stream.replay import STATIC
from millstream.trainer.stream.rows import rows_of

MANY = tuple(f"m{n}" for n in range(16))


def bought(name: str, *items: str) -> Event:
    return event(name, name, *items, kind=EventType.PURCHASE, at_ms=NOON_MS)


def proposed(*events: Event) -> tuple[dict[float, Proposals], ItemTable]:
    """By sharing, for the last of the events."""
    rows, table = list(rows_of(events)), ItemTable()
    parts = Parts(rows[:-1], rows[-1:], (), 0, 0)
    return dict(shared(parts, USUAL, STATIC, RankingSettings(), table)), table


@pytest.mark.parametrize(("sharing", "each_of_many"), [(0.5, 0.25), (1.0, 1 / 16)])
def test_what_a_great_basket_says_is_shared_by_its_items(
    sharing: float, each_of_many: float
) -> None:
    found, table = proposed(bought("a", *MANY), bought("b", "tea"), bought("c", "cup"))
    said = found[sharing]["popular"]
    strengths = dict(zip(said.items.tolist(), said.strengths.tolist(), strict=True))
    assert strengths[table.codes["tea"]] == 1.0
    assert [strengths[code] for code in table.of(MANY)] == pytest.approx([each_of_many] * 16)


def test_where_no_event_has_several_items_nothing_is_tried() -> None:
    assert proposed(bought("a", "tea"), bought("b", "cup"))[0] == {}
