"""The blend of the production list is learnt before the split, if it is worth it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from tests.factorised import factorise
from tests.unit.ranking.worlds import START

from millstream.domain.events import Event, EventType, Line
from millstream.domain.lists import Source
from millstream.model.sessions.session_knn import KnnRule
from millstream.ranking.batch import IN_CART, LOOKED_AT
from millstream.ranking.settings import RankingSettings
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.stream.blending import choose_blend
from millstream.trainer.stream.live import Live
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.rows import rows_of
from millstream.trainer.stream.trained import TasteRule, train_taste
from millstream.trainer.stream.visits import VisitRule, Visits

SETTINGS = TrainerSettings.model_construct(dimensions=4)
KNN = KnnRule(neighbours=10, sessions_an_item=10, query_touches=4)


def shopping(shoppers: int) -> Iterator[Event]:
    """Each looks at something, puts it into the cart, looks at nine other things and buys what is
    in the cart. Nobody goes back to what was only looked at."""
    for number in range(shoppers):
        kept = f"item-{7 * number % 97}"
        steps = [(EventType.VIEW_ITEM, kept), (EventType.ADD_TO_CART, kept)]
        others = (f"item-{(7 * number + 11 * n) % 97}" for n in range(1, 10))
        steps += [(EventType.VIEW_ITEM, item) for item in others]
        steps.append((EventType.PURCHASE, kept))
        for place, (kind, item) in enumerate(steps):
            yield Event(
                event_id=f"{number}-{place}",
                type=kind,
                time=START + timedelta(minutes=20 * number, seconds=place),
                user_id=f"shopper-{number}",
                items=(Line(item),),
            )


def test_it_tells_carts_from_looks_where_fixed_weights_cannot() -> None:
    rows = list(rows_of(shopping(60)))
    parts = Parts(rows[:240], rows[240:], (), 0, 30 * 60_000)
    live = Live(Visits(VisitRule(parts.visit_gap_ms)), KNN, RankingSettings(list_length=4))
    live.learn(parts.before)
    taste = TasteRule(SETTINGS.training(), SETTINGS.cleaning(), SETTINGS.measuring())
    live.taste = train_taste(parts.before, parts.asked(parts.held_out)[:40], taste, factorise)
    blend = choose_blend(live, parts)
    assert blend is not None
    of_repeats = blend.sources[Source.REPEAT].weights
    assert of_repeats[IN_CART][0] > of_repeats[LOOKED_AT][0]
