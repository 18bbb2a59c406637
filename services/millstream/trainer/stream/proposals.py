"""What the sources said for each question, kept, so that weights can be tried and sources left
out without asking again; and where the wanted items stand by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from millstream.ranking.items import NOTHING
from millstream.ranking.sums import Sums, as_lines, sum_by_pair
from millstream.trainer.stream.scores import NOWHERE

Ints = NDArray[np.int64]
_BLOCK = 512


class Said(NamedTuple):
    """(m,) each, in the order of questions: which one, item number, strength from 0 to 1."""

    questions: NDArray[np.int32]
    items: NDArray[np.int32]
    strengths: NDArray[np.float32]

    def span(self, start: int, end: int) -> Said:
        first, last = np.searchsorted(self.questions, (start, end))
        chosen = slice(first, last)
        return Said(self.questions[chosen], self.items[chosen], self.strengths[chosen])


Proposals = Mapping[str, Said]
"""By source."""
Weights = Mapping[str, float]
"""By source, what a strength of 1 adds to an item's score; none for a source that is left out."""


def joined(parts: Sequence[Proposals]) -> Proposals:
    """Of questions one after the other."""
    names = parts[0] if parts else ()
    return {
        name: Said(*map(np.concatenate, zip(*(part[name] for part in parts), strict=True)))
        for name in names
    }


@dataclass(frozen=True, slots=True)
class Wanted:
    """(w,) each: the question and the item that it wants, in the order of questions."""

    questions: Ints
    items: Ints

    def __len__(self) -> int:
        return int(self.questions[-1]) + 1 if len(self.questions) else 0


def ranks(proposals: Proposals, weights: Weights, wanted: Wanted) -> Ints:
    """(w,): 1 for the best among all that was proposed. Ties count against us: whatever has an
    equal score stands in front. What nothing was said for stands NOWHERE."""
    found = np.full(len(wanted.items), NOWHERE, dtype=np.int64)
    for start in range(0, len(wanted), _BLOCK):
        asked = slice(*np.searchsorted(wanted.questions, (start, start + _BLOCK)))
        questions = wanted.questions[asked] - start
        found[asked] = _ranks(
            _sums(proposals, weights, start, int(wanted.items.max())),
            questions,
            wanted.items[asked],
        )
    return found


def _sums(proposals: Proposals, weights: Weights, start: int, most: int) -> tuple[Sums, int]:
    used = [(w, proposals[name].span(start, start + _BLOCK)) for name, w in weights.items() if w]
    questions = np.concatenate([_NO_ITEMS, *(said.questions for _, said in used)])
    items = np.concatenate([_NO_ITEMS, *(said.items for _, said in used)])
    scores = np.concatenate([_NO_SCORES, *(w * said.strengths.astype(float) for w, said in used)])
    in_all = max(most, int(items.max(initial=0))) + 1
    return sum_by_pair(questions - start, items, scores, in_all), in_all


_NO_ITEMS = np.zeros(0, dtype=np.int64)
_NO_SCORES = np.zeros(0)


def _ranks(summed: tuple[Sums, int], questions: Ints, items: Ints) -> Ints:
    sums, in_all = summed
    if len(sums.totals) == 0:
        return np.full(len(questions), NOWHERE, dtype=np.int64)
    keys, wanted = sums.shoppers * in_all + sums.items, questions * in_all + items
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    own = np.where((keys[at] == wanted) & (items != NOTHING), sums.totals[at], 0.0)
    lines = as_lines(sums.shoppers, sums.totals, _BLOCK, -np.inf)
    ahead = (lines[questions] >= own[:, None]).sum(axis=1)
    return np.where(own > 0, ahead, NOWHERE).astype(np.int64)
