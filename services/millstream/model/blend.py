"""What the strengths of candidates are worth beside each other, as a trainer learnt it: of each
source a function that rises with the strength."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from millstream.domain.lists import Source

Weight = Annotated[float, Meta(ge=0, le=1000)]
Doublings = Annotated[int, Meta(ge=-10, le=10)]


Weights = tuple[tuple[Weight, ...], ...]


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one source. `weights[kind]`: what being proposed adds to a score, and what each of
    strength ** (2 ** doublings) adds times its weight. `kind`: as Candidates.kinds has it."""

    doublings: tuple[Doublings, ...]
    weights: Weights

    def __post_init__(self) -> None:
        """Raises ValueError where weights are missing: a lookup would only fail once a list is
        made."""
        if {len(line) for line in self.weights} != {len(self.doublings) + 1}:
            raise ValueError("the weights do not fit the powers")

    def worth(
        self, strengths: NDArray[np.float64], kinds: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(m,) what candidates add."""
        columns = _columns(self.weights)
        alike = len(self.weights) == 1
        worth = np.zeros(len(strengths))
        for doublings, column in zip((None, *self.doublings), columns, strict=True):
            if column is None:
                continue
            weights = column[0] if alike else column[kinds]
            worth += weights if doublings is None else weights * raised(strengths, doublings)
        return worth


class Blend(Struct, frozen=True, forbid_unknown_fields=True):
    """A source that is not among them keeps the weight of the settings."""

    sources: dict[Source, Calibration]


@lru_cache(maxsize=256)
def _columns(weights: Weights) -> tuple[NDArray[np.float64] | None, ...]:
    """By power (kinds,), to be read only, None where all are 0; made once and not for every
    list."""
    table = np.array(weights, dtype=np.float64)
    return tuple(column if column.any() else None for column in table.T)


def raised(strengths: NDArray[np.float64], doublings: int) -> NDArray[np.float64]:
    """strengths ** (2 ** doublings) by squares and roots alone, which come out alike to the last
    bit on every machine and wherever in an array they stand."""
    for _ in range(doublings):
        strengths = strengths * strengths
    for _ in range(-doublings):
        strengths = np.sqrt(strengths)
    return strengths
