"""What each source is worth to the lists, and what its freshness is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from millstream.trainer.stream.proposals import Proposals, Wanted, Weights, ranks
from millstream.trainer.stream.scores import scores_of


@dataclass(frozen=True, slots=True)
class Shares:
    """recall@20. `without`: all others, learning after each event; `alone`: nothing else; `frozen`:
    all, but this one stays as it was at the split; `thawed`: only this one learns."""

    without: float
    alone: float
    frozen: float
    thawed: float

    def told(self) -> dict[str, float]:
        return asdict(self)


def component_shares(
    static: Proposals, fresh: Proposals, weights: Weights, wanted: Wanted
) -> Mapping[str, Shares]:
    """By source, those that the weights leave out too: `alone` they say what they could do."""

    def recall(proposals: Proposals, used: Weights) -> float:
        found = ranks(proposals, used, wanted)
        scores = scores_of(found, wanted.questions, len(wanted))
        return float(scores.recall.mean()) if len(scores.recall) else 0.0

    return {
        name: Shares(
            without=recall(fresh, {**weights, name: 0.0}),
            alone=recall(fresh, {name: 1.0}),
            frozen=recall({**fresh, name: static[name]}, weights),
            thawed=recall({**static, name: fresh[name]}, weights),
        )
        for name in weights
    }
