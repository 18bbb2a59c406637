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


def test_worth_is_looked_up_by_kind_and_rises() -> None:
    told = Calibration((0,), ((1.0, 2.0), (3.0, 1.0)))
    worth = told.worth(np.full(2, 0.5), np.array([0, 1]))
    assert worth.tolist() == [2.0, 3.5]
    first = np.zeros(len(STRENGTHS), dtype=np.int64)
    assert (np.diff(told.worth(STRENGTHS, first)) > 0).all()


def test_it_travels_in_the_manifest_and_a_rule_without_one_stays_as_it_was() -> None:
    rule = ServingRule(24, 10.0, 0.5)
    assert b"blend" not in msgspec.json.encode(rule)
    told = Calibration((-3, 0), ((0.1, 0.2, 0.3),))
    learnt = msgspec.structs.replace(rule, blend=Blend({Source.POPULAR: told}))
    assert msgspec.json.decode(msgspec.json.encode(learnt), type=ServingRule) == learnt


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("weights", [[1.0]]),
        ("weights", []),
        ("weights", [[1.0, 2.0], [1.0]]),
        ("weights", [[1.0, -1.0]]),
        ("doublings", [11]),
    ],
)
def test_weights_that_do_not_fit_are_refused(field: str, value: object) -> None:
    told = {"doublings": [0], "weights": [[1.0, 2.0]]}
    whole = {"sources": {"popular": told}}
    msgspec.convert(whole, Blend)
    told[field] = value
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(whole, Blend)
