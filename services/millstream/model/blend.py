"""What the strengths of candidates are worth beside each other, as a trainer learnt it: of each
source a function that rises with the strength, one for each length of a visit."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from millstream.domain.lists import Source

Weight = Annotated[float, Meta(ge=0, le=1000)]
Doublings = Annotated[int, Meta(ge=-10, le=10)]


Weights = tuple[tuple[tuple[Weight, ...], ...], ...]


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one source. `weights[kind][length]`: what being proposed adds to a score, and what each
    of strength ** (2 ** doublings) adds times its weight. `kind`: as Candidates.kinds has it."""

    doublings: tuple[Doublings, ...]
    weights: Weights

    def worth(
        self, strengths: NDArray[np.float64], kinds: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """(m,) what candidates add; `lengths`: which of the lengths of a visit each is for."""
        columns = _columns(self.weights)
        alike = len(self.weights) == len(self.weights[0]) == 1
        worth = np.zeros(len(strengths))
        for doublings, column in zip((None, *self.doublings), columns, strict=True):
            if column is None:
                continue
            weights = column[0, 0] if alike else column[kinds, lengths]
            worth += weights if doublings is None else weights * raised(strengths, doublings)
        return worth


class Blend(Struct, frozen=True, forbid_unknown_fields=True):
    """`lengths`: touches in the visit under way from which on the next weights hold, in rising
    order; a visit ends with a pause longer than `visit_gap_ms`."""

    visit_gap_ms: Annotated[int, Meta(ge=1)]
    lengths: tuple[Annotated[int, Meta(ge=1)], ...]
    sources: dict[Source, Calibration]

    def __post_init__(self) -> None:
        """Raises ValueError where weights are missing: of a source not learnt, a lookup would only
        fail once a list is made."""
        for source, told in self.sources.items():
            widths = {len(line) for by_length in told.weights for line in by_length}
            counts = {len(by_length) for by_length in told.weights}
            if widths != {len(told.doublings) + 1} or counts != {len(self.lengths) + 1}:
                raise ValueError(f"the blend's weights of {source} do not fit together")

    def which_length(self, touches: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the place of the weights that hold, by touches in the visit under way."""
        return np.searchsorted(np.array(self.lengths), touches, side="right").astype(np.int64)


@lru_cache(maxsize=256)
def _columns(weights: Weights) -> tuple[NDArray[np.float64] | None, ...]:
    """By power (kinds, lengths), to be read only, None where all are 0; made once and not for every
    list."""
    table = np.array(weights, dtype=np.float64)
    return tuple(column if column.any() else None for column in np.moveaxis(table, 2, 0))


def raised(strengths: NDArray[np.float64], doublings: int) -> NDArray[np.float64]:
    """strengths ** (2 ** doublings) by squares and roots alone, which come out alike to the last
    bit on every machine and wherever in an array they stand."""
    for _ in range(doublings):
        strengths = strengths * strengths
    for _ in range(-doublings):
        strengths = np.sqrt(strengths)
    return strengths
