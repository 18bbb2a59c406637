"""Lists by a learnt blend: what settings and the kind of a touch make of it."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from tests.unit.ranking.worlds import NOW_MS, FixedShop, FixedTaste, batch_of, shopper

from millstream.domain.events import EventType
from millstream.domain.lists import Source
from millstream.features.recent_items import Touch
from millstream.model.blend import Blend, Calibration
from millstream.ranking.batch import BOUGHT, IN_CART, LOOKED_AT, Batch
from millstream.ranking.candidates import repeat
from millstream.ranking.candidates.source import Candidates, Context
from millstream.ranking.rank import taste_of
from millstream.ranking.settings import RankingSettings
from millstream.ranking.worth import worths

MINUTE = 60_000
BY_KIND = Calibration((0,), ((0.0, 1.0), (5.0, 0.0), (0.5, 0.0)))
BLEND = Blend({Source.REPEAT: BY_KIND})


def visited() -> Batch:
    touches = (
        Touch("seen", EventType.VIEW_ITEM, NOW_MS),
        Touch("kept", EventType.ADD_TO_CART, NOW_MS - MINUTE),
        Touch("had", EventType.VIEW_ITEM, NOW_MS - 2 * MINUTE),
        Touch("old", EventType.PURCHASE, NOW_MS - 60 * MINUTE),
    )
    one = replace(shopper(name="a"), recent=touches, bought=frozenset({"had", "old"}))
    return batch_of([one, shopper(name="nobody")])


def repeated(batch: Batch) -> list[tuple[Source, Candidates]]:
    context = Context(FixedShop(), RankingSettings(), None, NOW_MS)
    return [(Source.REPEAT, repeat.propose(batch, context))]


def test_a_touch_is_looked_at_in_the_cart_or_bought() -> None:
    assert visited().touch_kinds.tolist() == [LOOKED_AT, IN_CART, BOUGHT, BOUGHT]


def test_what_is_in_the_cart_may_be_worth_more_than_what_was_seen_later() -> None:
    batch = visited()
    (worth,) = worths(repeated(batch), RankingSettings(), BLEND)
    assert worth.tolist() == [1.0, 5.0, 0.5, 0.5]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 2.0])
def test_a_weight_of_the_settings_counts_by_its_ratio_to_the_usual(ratio: float) -> None:
    batch, usual = visited(), RankingSettings()
    weights = {**usual.weights, Source.REPEAT: ratio * usual.weights[Source.REPEAT]}
    changed = msgspec.structs.replace(usual, weights=weights)
    (plain,) = worths(repeated(batch), usual, BLEND)
    (worth,) = worths(repeated(batch), changed, BLEND)
    np.testing.assert_allclose(worth, ratio * plain)


def test_without_a_blend_it_is_the_weight_times_the_strength() -> None:
    batch, settings = visited(), RankingSettings(weights={Source.REPEAT: 3.0})
    proposed = repeated(batch)
    (worth,) = worths(proposed, settings, None)
    assert worth.tolist() == (3.0 * proposed[0][1].strengths).tolist()


def test_settings_may_do_without_the_blend() -> None:
    model = FixedTaste([], [])
    model.blend = BLEND
    batch = visited()
    for learnt, blend in ((True, BLEND), (False, None)):
        settings = RankingSettings(learnt_blend=learnt)
        context = Context(FixedShop(), settings, taste_of(batch.shoppers, model), NOW_MS)
        assert context.blend == blend


def test_a_source_that_the_blend_does_not_know_keeps_its_weight() -> None:
    batch, settings = visited(), RankingSettings()
    unknown = Blend({})
    (worth,) = worths(repeated(batch), settings, unknown)
    assert worth.tolist() == repeated(batch)[0][1].strengths.tolist()
