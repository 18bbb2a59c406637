"""Ours over one recording: frozen at the split, and with each cadence of learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from millstream.domain.lists import Source
from millstream.model.blend import Blend
from millstream.ranking.settings import RankingSettings
from millstream.trainer.fitting import Fit
from millstream.trainer.stream.components import Shares, component_shares
from millstream.trainer.stream.live import Live, twice_as_long
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.prepared import OursRule, Prepared, Standing, prepare, variables
from millstream.trainer.stream.proposals import Proposals, Wanted, Weights, ranks
from millstream.trainer.stream.replay import (
    CADENCES,
    FRESH,
    STATIC,
    Cadence,
    is_asked,
    replay,
    wanted_of,
)
from millstream.trainer.stream.scores import Scores, scores_of
from millstream.trainer.stream.taste import LivingTaste

Told = Callable[[str], None]
USUAL_SETTINGS = "ours, every event, usual event weights and half-lives"
BY_ENCODER = "production list, session encoder"
DOT_PRODUCT = "dot product"
"""The model by itself, as it stands at the split; nothing for a shopper who has no recent items."""


@dataclass(frozen=True, slots=True)
class Followed:
    """`scores` by cadence, and of the list that production makes of the same state."""

    scores: dict[str, Scores]
    components: Mapping[str, Shares]
    chosen: dict[str, Any]


def follow(parts: Parts, rule: OursRule, fit: Fit, told: Told) -> Followed:
    """Blocks for minutes."""
    made = prepare(parts, rule, fit, told)
    follower, live = _Follower(parts, told), made.fresh.live
    frozen = replay(live.copy(), parts.test, STATIC, parts.min_earlier)
    follower.note(DOT_PRODUCT, frozen, {str(Source.EMBEDDING): 1.0}, live)
    for cadence in CADENCES:
        standing = made.static if cadence == STATIC else made.fresh
        found = follower.follow(cadence.name, standing, cadence)
        if cadence == FRESH:
            fresh = found
    follower.follow(USUAL_SETTINGS, made.usual, FRESH)
    told("leaving sources out")
    wanted = wanted_of(parts.asked(parts.test), live)
    components = component_shares(frozen, fresh, made.fresh.way.weights, wanted)
    for name, blend in (("production list, fixed weights", None), ("production list", made.blend)):
        follower.list(name, live, rule.settings, blend)
    if made.encoder is not None:
        follower.list(BY_ENCODER, made.encoder.live, rule.settings, made.encoder.blend)
    return Followed(follower.scores, components, _chosen(made))


class _Follower:
    """Asks the test of what stands at the split; `scores` by name."""

    def __init__(self, parts: Parts, told: Told) -> None:
        self._parts, self._told = parts, told
        self.scores: dict[str, Scores] = {}

    def follow(self, name: str, standing: Standing, cadence: Cadence) -> Proposals:
        live, parts = standing.live.copy(), self._parts
        proposals = replay(live, parts.test, cadence, parts.min_earlier)
        self.note(name, proposals, standing.way.weights, live)
        return proposals

    def list(self, name: str, live: Live, settings: RankingSettings, blend: Blend | None) -> None:
        found = _production(live.copy(), self._parts, twice_as_long(settings), blend)
        self._note_ranks(name, found, self._wanted(live))

    def note(self, name: str, proposals: Proposals, weights: Weights, live: Live) -> None:
        wanted = self._wanted(live)
        self._note_ranks(name, ranks(proposals, weights, wanted), wanted)

    def _wanted(self, live: Live) -> Wanted:
        return wanted_of(self._parts.asked(self._parts.test), live)

    def _note_ranks(self, name: str, found: NDArray[np.int64], wanted: Wanted) -> None:
        self.scores[name] = scores_of(found, wanted.questions, len(wanted))
        self._told(f"{name}: {self.scores[name].means()}")


def _production(
    live: Live, parts: Parts, settings: RankingSettings, blend: Blend | None
) -> NDArray[np.int64]:
    """Ranks in the list that `rank` makes, every event learnt at once."""
    found: list[int] = []
    for row in parts.test:
        if is_asked(row, parts.min_earlier):
            found += live.listed(row, settings, blend)
        live.learn([row])
        live.step([row])
    return np.array(found, dtype=np.int64)


def _chosen(made: Prepared) -> dict[str, Any]:
    live = made.fresh.live
    return {
        "blend": _told_blend(made.blend),
        "blend_beside_encoder": made.encoder and _told_blend(made.encoder.blend),
        "ways": {name: _told_way(getattr(made, name)) for name in ("static", "fresh", "usual")},
        "knn": asdict(live.knn),
        "steps": asdict(live.taste.rule) if isinstance(live.taste, LivingTaste) else None,
    }


def _told_blend(blend: Blend | None) -> Any:
    return None if blend is None else msgspec.to_builtins(blend)


def _told_way(standing: Standing) -> dict[str, Any]:
    way = standing.way
    return {
        "settings": variables(way.deriving),
        "weights": dict(way.weights),
        "repeat_recency": way.repeat_recency,
        "held_out": way.scores.means(),
    }
