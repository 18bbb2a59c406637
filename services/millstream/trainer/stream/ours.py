"""Ours over one recording: trained and chosen on what is before the split, frozen there, and again
with each cadence of learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import msgspec
import numpy as np

from millstream.model.blend import Blend
from millstream.model.sessions.session_knn import KnnRule
from millstream.ranking.settings import RankingSettings
from millstream.trainer.fitting import Fit
from millstream.trainer.stream.blending import choose_blend
from millstream.trainer.stream.choose import choose_knn, choose_weights
from millstream.trainer.stream.components import Shares, component_shares
from millstream.trainer.stream.live import Live, twice_as_long
from millstream.trainer.stream.parts import Parts
from millstream.trainer.stream.proposals import Proposals, Weights, ranks
from millstream.trainer.stream.replay import CADENCES, FRESH, STATIC, is_asked, replay, wanted_of
from millstream.trainer.stream.scores import Scores, scores_of
from millstream.trainer.stream.trained import TasteRule, train_taste
from millstream.trainer.stream.visits import VisitRule, Visits

Told = Callable[[str], None]
_CHOOSING = 600


@dataclass(frozen=True, slots=True)
class OursRule:
    taste: TasteRule
    knn: KnnRule = field(
        default_factory=lambda: KnnRule(neighbours=500, sessions_an_item=1_000, query_touches=24)
    )
    settings: RankingSettings = field(default_factory=RankingSettings)


@dataclass(frozen=True, slots=True)
class Followed:
    """`scores` by cadence, and of the list that production makes of the same state."""

    scores: dict[str, Scores]
    components: Mapping[str, Shares]
    chosen: dict[str, Any]


def follow(parts: Parts, rule: OursRule, fit: Fit, told: Told) -> Followed:
    """Blocks for minutes."""
    live, weights, blend = _prepared(parts, rule, fit, told)
    wanted = wanted_of(parts.asked(parts.test), live)
    scores: dict[str, Scores] = {}
    kept: dict[str, Proposals] = {}
    for cadence in CADENCES:
        proposals = replay(live.copy(), parts.test, cadence, parts.min_earlier)
        found = ranks(proposals, weights, wanted)
        scores[cadence.name] = scores_of(found, wanted.questions, len(wanted))
        told(f"{cadence.name}: {scores[cadence.name].means()}")
        if cadence in (STATIC, FRESH):
            kept[cadence.name] = proposals
    told("leaving sources out")
    components = component_shares(kept[STATIC.name], kept[FRESH.name], weights, wanted)
    for name, way in (("production list, fixed weights", None), ("production list", blend)):
        listed = _production(live.copy(), parts, twice_as_long(rule.settings), way)
        scores[name] = scores_of(listed, wanted.questions, len(wanted))
        told(f"{name}: {scores[name].means()}")
    return Followed(scores, components, _chosen(live, weights, blend))


def _prepared(
    parts: Parts, rule: OursRule, fit: Fit, told: Told
) -> tuple[Live, Weights, Blend | None]:
    """As it stands at the split: what the held-out part chose, it has then learnt as well."""
    live = Live(Visits(VisitRule(parts.visit_gap_ms)), rule.knn, rule.settings)
    live.learn(parts.before)
    held_out = parts.asked(parts.held_out)
    live.taste = train_taste(parts.before, held_out, rule.taste, fit)
    told(f"the embedding is trained: {live.taste.model.rule}")
    blend = choose_blend(live.copy(), parts)
    told(f"blend of the production list: {blend}")
    live.knn = choose_knn(live, held_out[:: max(1, len(held_out) // _CHOOSING)])
    told(f"nearest visits: {live.knn}")
    proposals = replay(live, parts.held_out, FRESH, parts.min_earlier)
    weights = choose_weights(live, held_out, proposals)
    told(f"weights: {weights}, repeats fade by {live.settings.repeat_recency}")
    return live, weights, blend


def _production(
    live: Live, parts: Parts, settings: RankingSettings, blend: Blend | None
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Ranks in the list that `rank` makes, every event learnt at once."""
    found: list[int] = []
    for row in parts.test:
        if is_asked(row, parts.min_earlier):
            found += live.listed(row, settings, blend)
        live.learn([row])
        live.step([row])
    return np.array(found, dtype=np.int64)


def _chosen(live: Live, weights: Weights, blend: Blend | None) -> dict[str, Any]:
    return {
        "blend": None if blend is None else msgspec.to_builtins(blend),
        "weights": dict(weights),
        "repeat_recency": live.settings.repeat_recency,
        "knn": asdict(live.knn),
        "steps": None if live.taste is None else asdict(live.taste.rule),
    }
