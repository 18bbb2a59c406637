from __future__ import annotations

import numpy as np
import pytest
from tests.unit.trainer.stream.made_shop import made_events

from millstream.model.sessions.session_knn import KnnRule
from millstream.ranking.settings import RankingSettings
from millstream.trainer.fitting import Fit
from millstream.trainer.settings import Cleaning, Measuring, Training
from millstream.trainer.stream.live import Live
from millstream.trainer.stream.proposals import Proposals
from millstream.trainer.stream.replay import (
    CADENCES,
    DAY_MS,
    EVENT,
    FRESH,
    NEVER,
    STATIC,
    Cadence,
    replay,
    ticks,
)
from millstream.trainer.stream.rows import Row, rows_of
from millstream.trainer.stream.trained import TasteRule, train_taste
from millstream.trainer.stream.visits import VisitRule, Visits

RULE = TasteRule(
    Training(8, 256, 3, 0.01, 4, 0.25, 0.1, 1),
    Cleaning(1, 1),
    Measuring(0.05, 0.1, 1_800_000, 2000, 24, 20, 1),
)
_DAYS, _VISITS = 5, 12
_LEARNT = 3 * _VISITS * 4


def _live(rows: list[Row], fit: Fit) -> Live:
    live = Live(Visits(VisitRule()), KnnRule(), RankingSettings())
    live.learn(rows)
    live.taste = train_taste(rows[:-20], rows[-20:], RULE, fit)
    return live


def _until(proposals: Proposals, question: int) -> dict[str, list[list[float]]]:
    return {
        name: [column.tolist() for column in said.span(0, question)]
        for name, said in proposals.items()
    }


@pytest.mark.parametrize("cadence", CADENCES, ids=lambda cadence: cadence.name)
def test_the_future_changes_nothing_earlier(cadence: Cadence, factorise: Fit) -> None:
    rows = list(rows_of(made_events(_DAYS, _VISITS, seed=12)))
    test = rows[_LEARNT:]
    cut = len(test) // 2
    shuffled = [*test[:cut], *np.random.default_rng(0).permutation(np.array(test[cut:], object))]
    one, two = (
        replay(_live(rows[:_LEARNT], factorise), asked, cadence, 0) for asked in (test, shuffled)
    )
    assert _until(one, cut) == _until(two, cut)
    assert _until(one, len(test)) != _until(two, len(test))


def test_an_event_is_known_to_the_next_one_and_not_to_itself(factorise: Fit) -> None:
    rows = list(rows_of(made_events(_DAYS, _VISITS, seed=13)))
    live = _live(rows[:_LEARNT], factorise)
    test = rows[_LEARNT:]
    first_new = test[0].wanted[0]
    found = replay(live, test, FRESH, 0)
    code = live.table.codes[first_new]
    newest = found["new"]
    assert newest.questions[newest.items == code].min() == 1


def test_static_knows_nothing_of_what_came_after_the_split(factorise: Fit) -> None:
    rows = list(rows_of(made_events(_DAYS, _VISITS, seed=14)))
    live = _live(rows[:_LEARNT], factorise)
    known = {item for row in rows[:_LEARNT] for item in row.wanted}
    found = replay(live, rows[_LEARNT:], STATIC, 0)
    others = {live.table.ids[i] for name in ("popular", "covisited") for i in found[name].items}
    assert others <= known
    own = {live.table.ids[i] for i in found["repeat"].items}
    assert not own <= known  # what shoppers touched themselves is seen at once


def test_a_tick_holds_the_events_of_one_stretch_of_time() -> None:
    rows = list(rows_of(made_events(days=3, visits_a_day=4, seed=15)))
    assert [len(tick) for tick in ticks(rows, EVENT)] == [1] * len(rows)
    assert [len(tick) for tick in ticks(rows, NEVER)] == [len(rows)]
    days = list(ticks(rows, DAY_MS))
    assert [row for tick in days for row in tick] == rows
    assert all(len({row.time_ms // DAY_MS for row in tick}) == 1 for tick in days)
    assert len(days) == len({row.time_ms // DAY_MS for row in rows})


def test_a_copy_learns_on_its_own(factorise: Fit) -> None:
    rows = list(rows_of(made_events(_DAYS, _VISITS, seed=16)))
    live, test = _live(rows[:_LEARNT], factorise), rows[_LEARNT:]
    before = replay(live.copy(), test, STATIC, 0)
    replay(live.copy(), test, FRESH, 0)
    after = replay(live.copy(), test, STATIC, 0)
    assert _until(before, len(test)) == _until(after, len(test))
