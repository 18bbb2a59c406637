"""How ours works best, by the held-out part: half-lives, how the items of a basket share what it
says, and what the sources are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from millstream.domain.deriving import Deriving
from millstream.domain.lists import Source
from millstream.trainer.stream.choose import WEIGHTS, choose_weights, value_of, weighed
from millstream.trainer.stream.live import REPEAT, Live
from millstream.trainer.stream.proposals import Proposals, Weights, ranks
from millstream.trainer.stream.replay import wanted_of
from millstream.trainer.stream.rows import Row
from millstream.trainer.stream.scores import Scores, scores_of

SHARING = "basket_sharing"
_STEPS = (
    ("popular_half_life_ms", str(Source.POPULAR)),
    ("together_half_life_ms", str(Source.COVISITED)),
    (SHARING, str(Source.POPULAR)),
)
Made = Callable[[str, Deriving], Mapping[float, Proposals]]
"""Of a field of Deriving, beside how the others stand: by value, what is proposed."""


@dataclass(frozen=True, slots=True)
class Way:
    """`weights`: of the sources; `scores`: on the held-out part."""

    deriving: Deriving
    weights: Weights
    repeat_recency: float
    scores: Scores


def usual_way(live: Live, asked: Sequence[Row], said: Proposals, usual: Deriving) -> Way:
    """The weights that are best by the half-lives that `said` was made with."""
    weights, recency = choose_weights(live, asked, said)
    proposals = {**said, REPEAT: live.repeats(asked, recency)}
    return Way(usual, weights, recency, _scores(live, asked, proposals, weights))


def choose_way(live: Live, asked: Sequence[Row], said: Proposals, made_by: Made, usual: Way) -> Way:
    """`usual` with each of _STEPS in turn, and the weight of its source, at what is best beside
    the others' choice so far; the weights once more at last."""
    wanted = wanted_of(asked, live)
    proposals: Proposals = {**said, REPEAT: live.repeats(asked, usual.repeat_recency)}
    best, reached = usual, value_of(proposals, usual.weights, wanted)
    for name, source in _STEPS:
        chosen = proposals
        for setting, made in made_by(name, best.deriving).items():
            tried = {**proposals, source: made[source]}
            for weight in WEIGHTS:
                others: Weights = {**best.weights, source: weight}
                value = value_of(tried, others, wanted)
                if value > reached:
                    deriving = msgspec.structs.replace(best.deriving, **{name: setting})
                    best, reached = replace(best, deriving=deriving, weights=others), value
                    chosen = tried
        proposals = chosen
    weights = weighed(proposals, best.weights, wanted)
    return replace(best, weights=weights, scores=_scores(live, asked, proposals, weights))


def _scores(live: Live, asked: Sequence[Row], proposals: Proposals, weights: Weights) -> Scores:
    wanted = wanted_of(asked, live)
    return scores_of(ranks(proposals, weights, wanted), wanted.questions, len(wanted))
