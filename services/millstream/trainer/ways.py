"""What a network is worth in a list: fixed weights or a learnt blend, by the lists they make on the
validation part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
import structlog
from numpy.typing import NDArray

from millstream.domain.models import Network
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.scorer import Scorer
from millstream.trainer.encode import Interactions
from millstream.trainer.evaluate import measure_lists, measure_model
from millstream.trainer.fit_blend import Examples, fit_blend, joined
from millstream.trainer.fitting import Fitted, assemble
from millstream.trainer.follow import follow
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.split import Parts, Query, evenly, next_queries, queries
from millstream.trainer.whole_list import Lists

_log = structlog.get_logger(__name__)

_ALIKE = 0.005
"""Lists whose NDCG differs by less, as a share, are as good as each other."""
_ERRORS, _ERRORS_BETWEEN = 2.0, 1.0
"""So many standard errors of the difference may be chance: of one network's ways, several of which
share the questions, and between the networks."""
_WEIGHTS = (1.0, 0.5, 0.2)
_ASKED = 1_000
"""Visits that are to be told beforehand, at most."""
_WEIGHED = 500
"""On which ways to make lists are compared: whole lists take a millisecond each."""


@dataclass(frozen=True, slots=True)
class Learnt:
    network: Network
    serving: ServingRule
    data: Interactions
    fitted: Fitted

    def assembled(self, ridge: float) -> Embeddings:
        return assemble(self.data, self.fitted, self.serving, ridge)


class Tried(NamedTuple):
    """NDCG of whole lists, by question of the validation part, and of the model's own."""

    learnt: Learnt
    lists: NDArray[np.float64]
    alone: float


class Way(NamedTuple):
    """How the version in service makes lists, and with which network."""

    network: Network
    rule: ServingRule


def blended(
    learnt: Sequence[Learnt],
    parts: Parts,
    shop: Lists,
    settings: TrainerSettings,
    standing: Way | None = None,
) -> Learnt:
    """The best of them, with what its candidates are worth in a list: chosen on the later half of
    the validation part's questions; a blend for it is learnt from the earlier half, and what serves
    is then learnt from both, unless it is that of `standing`, which has the first word. `shop`
    knows the train part, and the whole of both afterwards."""
    rule = settings.measuring()
    asked = [
        *evenly(queries(parts.train, parts.validation, rule), _ASKED),
        *next_queries(parts.train, parts.validation, rule),
    ]
    asked.sort(key=lambda query: query.at_ms)
    early, late = asked[: len(asked) // 2], asked[len(asked) // 2 :]
    is_early = pl.col("time_ms") < (late[0].at_ms if late else 0)
    halves = parts.validation.filter(is_early), parts.validation.filter(~is_early)
    scorers = [Scorer(one.assembled(settings.ridge)) for one in learnt]
    told = follow(shop, early, halves[0], scorers)
    tried: list[Tried] = []
    for one, known in zip(learnt, told, strict=True):
        ways = _ways(one, known, standing)
        tried += _weighed(one, ways, late, shop, settings)
    best = _best(tried)
    if best.serving.blend is None or (standing and best.serving.blend == standing.rule.blend):
        return best
    place = [one.network for one in learnt].index(best.network)
    (more,) = follow(shop, late, halves[1], scorers[place : place + 1])
    blend = fit_blend(joined([told[place], more]))
    return replace(best, serving=msgspec.structs.replace(best.serving, blend=blend))


def _ways(learnt: Learnt, known: Examples, standing: Way | None) -> list[ServingRule]:
    """That of the version in service, if it has this network, then each fixed weight and a new
    blend: a model that is good by itself may say what the shop's own sources say already."""
    ways = [msgspec.structs.replace(learnt.serving, weight=weight) for weight in _WEIGHTS]
    blend = fit_blend(known)
    ways += [msgspec.structs.replace(learnt.serving, blend=blend)] if blend else []
    if standing is None or standing.network is not learnt.network:
        return ways
    weight, served = standing.rule.weight, standing.rule.blend
    return [msgspec.structs.replace(learnt.serving, weight=weight, blend=served), *ways]


def _weighed(
    learnt: Learnt,
    ways: Sequence[ServingRule],
    asked: Sequence[Query],
    shop: Lists,
    settings: TrainerSettings,
) -> Iterator[Tried]:
    rule, some = settings.measuring(), evenly(asked, _WEIGHED)
    model = learnt.assembled(settings.ridge)
    alone = measure_model(learnt.data, Scorer(model), some, rule.k).means()[f"ndcg_at_{rule.k}"]
    for serving in ways:
        lists = measure_lists(shop(some, Scorer(replace(model, rule=serving))), some, rule.k)
        yield Tried(replace(learnt, serving=serving), lists.ndcg, alone)


def _best(tried: Sequence[Tried]) -> Learnt:
    """By the lists, which shoppers see; of those that make them as good, by the model alone, and of
    one model what serves already, then fixed weights. Blends that are alike on all questions still
    differ in the tail, where the gate would take the one for a loss beside the other."""
    _log.info("networks", network_way_lists_alone=[_told(one) for one in tried])
    best = max(tried, key=lambda one: float(one.lists.sum()))
    alike = [one for one in tried if _as_good(one, best)]
    return max(alike, key=lambda one: one.alone).learnt


def _as_good(one: Tried, best: Tried) -> bool:
    """Within _ALIKE, or within some errors question by question: of many ways on few questions the
    best by chance would win."""
    if not len(one.lists):
        return True
    is_one_network = one.learnt.network is best.learnt.network
    behind = best.lists - one.lists
    error = float(behind.std()) / len(behind) ** 0.5
    allowed = (_ERRORS if is_one_network else _ERRORS_BETWEEN) * error
    return bool(behind.mean() <= max(_ALIKE * float(best.lists.mean()), allowed))


def _told(one: Tried) -> tuple[str, str, float, float]:
    serving = one.learnt.serving
    way = f"weight {serving.weight:g}" if serving.blend is None else "blend"
    lists = float(one.lists.mean()) if len(one.lists) else 0.0
    return str(one.learnt.network), way, round(lists, 4), round(one.alone, 4)
