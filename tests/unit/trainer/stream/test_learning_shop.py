from __future__ import annotations

import pytest
from tests.unit.trainer.stream.made_shop import made_events

from millstream.ranking.replayed_shop import ReplayedShop
from millstream.trainer.stream.learning_shop import LearningShop
from millstream.trainer.stream.rows import rows_of


def test_it_derives_what_the_replayed_shop_derives_event_by_event() -> None:
    events = made_events(days=12, visits_a_day=12, seed=2)
    ours, replayed = LearningShop(), ReplayedShop()
    for number, row in enumerate(rows_of(events)):
        ours.learn(row)
        replayed.learn(row.event)
        if number % 97 and number < len(events) - 1:
            continue
        assert dict(ours.popular()) == pytest.approx(dict(replayed.popular()[:200]))
        for item in {line.item_id for event in events for line in event.items}:
            found, expected = ours.shares(item), replayed.shares(item)
            assert list(found.items) == list(expected.items)
            assert found.parts.tolist() == pytest.approx(expected.parts.tolist())


def test_a_copy_learns_on_its_own() -> None:
    rows = list(rows_of(made_events(days=2, visits_a_day=8, seed=3)))
    shop = LearningShop()
    for row in rows[:30]:
        shop.learn(row)
    before = list(shop.popular()), list(shop.newest()), list(shop.shares(rows[0].wanted[0]).items)
    copy = shop.copy()
    for row in rows[30:]:
        copy.learn(row)
    after = list(shop.popular()), list(shop.newest()), list(shop.shares(rows[0].wanted[0]).items)
    assert after == before
    assert list(copy.newest()) != list(shop.newest())
