"""What a learnt blend says of strengths, and which manifests of one are refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from millstream.domain.lists import Source
from millstream.model.blend import Blend, Calibration, raised
from millstream.model.embeddings import ServingRule

STRENGTHS = np.linspace(0.001, 1.0, 200)


@pytest.mark.parametrize("doublings", [-3, 0, 4, 6])
def test_powers_by_squares_and_roots(doublings: int) -> None:
    np.testing.assert_allclose(raised(STRENGTHS, doublings), STRENGTHS ** (2.0**doublings))


def test_worth_is_looked_up_by_kind_and_length_and_rises() -> None:
    weights = (((1.0, 2.0), (0.5, 0.0)), ((0.0, 4.0), (3.0, 1.0)))
    told = Calibration((0,), weights)
    kinds, lengths = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    worth = told.worth(np.full(4, 0.5), kinds, lengths)
    assert worth.tolist() == [2.0, 0.5, 2.0, 3.5]
    nobody = np.zeros(len(STRENGTHS), dtype=np.int64)
    assert (np.diff(told.worth(STRENGTHS, nobody, nobody)) > 0).all()


def test_the_length_of_a_visit_chooses_the_weights() -> None:
    blend = Blend(1000, (2, 5), {})
    assert blend.which_length(np.array([0, 1, 2, 4, 5, 24])).tolist() == [0, 0, 1, 1, 2, 2]


def test_it_travels_in_the_manifest_and_a_rule_without_one_stays_as_it_was() -> None:
    rule = ServingRule(24, 10.0, 0.5)
    assert b"blend" not in msgspec.json.encode(rule)
    told = Calibration((-3, 0), (((0.1, 0.2, 0.3),),))
    learnt = msgspec.structs.replace(rule, blend=Blend(1000, (), {Source.POPULAR: told}))
    assert msgspec.json.decode(msgspec.json.encode(learnt), type=ServingRule) == learnt


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weights", [[[1.0]]]),
        ("weights", []),
        ("weights", [[[1.0, -1.0]]]),
        ("doublings", [11]),
    ],
)
def test_weights_that_do_not_fit_are_refused(field: str, value: object) -> None:
    told = {"doublings": [0], "weights": [[[1.0, 2.0]]]}
    whole = {"visit_gap_ms": 1, "lengths": [], "sources": {"popular": told}}
    msgspec.convert(whole, Blend)
    told[field] = value
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(whole, Blend)
