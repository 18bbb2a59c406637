"""What the gate found of a version; it travels in the signed manifest, so that whoever asks why a
version serves, or does not, reads what was measured before it could."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from millstream.domain.models import Decision

Number = Annotated[int, Meta(ge=0)]
BESIDE = "beside"
"""Begins the segment of a check whose reference is another than the judgement's."""


class Outcome(StrEnum):
    PASSED = "passed"
    BETTER = "better"
    """Passed, and the whole interval lies above zero."""
    WORSE = "worse"
    UNCLEAR = "unclear"
    """Not worse in the mean, but the interval reaches below the margin."""
    TOO_FEW = "too few"
    """Shoppers to judge by: neither for nor against."""


class Check(Struct, frozen=True, forbid_unknown_fields=True):
    """One measure on the same shoppers. `ours` and `reference` are means over shoppers; `low` and
    `high` bound their difference (95 %, bootstrap over shoppers); it may fall by `margin`. Of a
    review model reviews stand in the place of shoppers, `shoppers` of them."""

    view: str
    metric: str
    segment: str
    shoppers: Number
    ours: float
    reference: float
    low: float
    high: float
    margin: float
    outcome: Outcome


class Bound(Struct, frozen=True, forbid_unknown_fields=True):
    """What the lists show of the catalogue, and how far it may fall or rise."""

    view: str
    name: str
    ours: float
    reference: float
    limit: float
    kept: bool


class Judgement(Struct, frozen=True, forbid_unknown_fields=True):
    """`reference`: what the version was compared with, a version or `popularity`."""

    decision: Decision
    reference: str
    reasons: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    bounds: tuple[Bound, ...] = ()

    @property
    def promoted(self) -> bool:
        return self.decision is Decision.PROMOTED

    @property
    def verdict(self) -> str:
        """One line: the decision and what led to it."""
        return f"{self.decision}: {'; '.join(self.reasons)}"
