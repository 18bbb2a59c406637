"""Which way to make lists is taken of those that were tried."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.factorised import factorise

from millstream.domain.models import Network
from millstream.model.blend import Blend
from millstream.model.embeddings import ServingRule
from millstream.trainer.encode import encode
from millstream.trainer.fit_blend import joined
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.ways import Learnt, Tried, Way, _best, _ways

RULE = ServingRule(4, 10.0, 0.5)
BLENDED = msgspec.structs.replace(RULE, blend=Blend({}))
NONE_BETTER = np.array([0.1, 0.5, 0.0, 0.3] * 50)


def learnt(network: Network, serving: ServingRule) -> Learnt:
    lines = pl.DataFrame(
        {
            "user": ["a", "a", "b", "b"],
            "event_id": ["1", "2", "3", "4"],
            "type": ["view_item"] * 4,
            "item": ["x", "y", "x", "z"],
            "weight": [1.0] * 4,
            "time_ms": [1, 2, 3, 4],
        }
    )
    data = encode(lines, 4)
    training = TrainerSettings.model_construct(dimensions=2).training()
    return Learnt(network, serving, data, factorise(data, training, lambda _: False, None))


def tried(lists: np.ndarray[tuple[int], np.dtype[np.float64]], **said: float | bool) -> Tried:
    network = Network.SESSIONS if said.get("encoder") else Network.DOT_PRODUCT
    serving = BLENDED if said.get("blend") else RULE
    return Tried(learnt(network, serving), lists, float(said.get("alone", 0.0)))


def test_better_lists_decide_whatever_the_model_is_by_itself() -> None:
    better = NONE_BETTER + 0.1
    found = _best([tried(NONE_BETTER, alone=0.9), tried(better, blend=True, alone=0.1)])
    assert found.serving.blend is not None


@pytest.mark.parametrize(("better", "is_blended"), [(20, False), (40, True)])
def test_what_chance_may_have_done_is_no_reason_to_blend(better: int, is_blended: bool) -> None:
    """Of 200 questions 20 found better and 10 worse are 1.8 standard errors, 40 and 10 are 4.5."""
    other = NONE_BETTER.copy()
    other[:better] += 0.1
    other[-10:] -= 0.1
    found = _best([tried(NONE_BETTER), tried(other, blend=True)])
    assert (found.serving.blend is not None) is is_blended


def test_a_better_model_does_not_make_up_for_lists_that_are_worse() -> None:
    """By 1.8 standard errors, as above, which between ways of one network may be chance."""
    better = NONE_BETTER.copy()
    better[:20] += 0.1
    better[-10:] -= 0.1
    found = _best([tried(better, alone=0.1), tried(NONE_BETTER, encoder=True, alone=0.2)])
    assert found.network is Network.DOT_PRODUCT


def test_of_lists_that_are_alike_the_better_model_makes_the_version() -> None:
    found = _best([tried(NONE_BETTER, alone=0.1), tried(NONE_BETTER, encoder=True, alone=0.2)])
    assert found.network is Network.SESSIONS


def test_without_questions_the_first_way_is_as_good_as_any() -> None:
    nothing = np.zeros(0)
    found = _best([tried(nothing), tried(nothing, blend=True)])
    assert found.serving.blend is None


def test_the_way_in_service_comes_first_and_stays_where_it_is_as_good() -> None:
    one, standing = learnt(Network.DOT_PRODUCT, RULE), Way(Network.DOT_PRODUCT, BLENDED)
    first, *others = _ways(one, joined([]), standing)
    assert first == BLENDED
    assert [way.weight for way in others] == [1.0, 0.5, 0.2]
    found = _best([tried(NONE_BETTER, blend=True), tried(NONE_BETTER)])
    assert found.serving.blend is not None
    found = _best([tried(NONE_BETTER, blend=True), tried(NONE_BETTER + 0.1)])
    assert found.serving.blend is None


def test_the_way_of_another_network_is_not_tried() -> None:
    one, standing = learnt(Network.DOT_PRODUCT, RULE), Way(Network.SESSIONS, BLENDED)
    assert all(way.blend is None for way in _ways(one, joined([]), standing))
