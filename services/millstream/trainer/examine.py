"""Stages 5 to 7 on one split of the window: what is learnt from its earlier part, how good that is
on the newest one, and whether it may serve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec
import numpy as np

from millstream.domain.models import Network
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.fairness import Fairness
from millstream.model.judgement import Judgement
from millstream.model.manifest import Interval, Quality
from millstream.model.scorer import Scorer
from millstream.model.sessions.encoder import beside_items
from millstream.trainer.champion import Champion
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.evaluate import (
    choose_rule,
    evaluate,
    named_intervals,
    named_means,
)
from millstream.trainer.fairness import bound_costs, fairness
from millstream.trainer.fitting import Fitted, assemble
from millstream.trainer.gate.bounds import reach
from millstream.trainer.gate.exam import (
    MODEL,
    WHOLE_LIST,
    Exam,
    Views,
    WholeListsOf,
    model_lists,
    popular_views,
    sit,
)
from millstream.trainer.gate.rule import GateRule
from millstream.trainer.gate.verdict import POPULARITY, judge, refusal, still_as_measured
from millstream.trainer.new_items import with_new_items
from millstream.trainer.settings import TrainerSettings
from millstream.trainer.split import Parts, evenly, inner_queries, queries
from millstream.trainer.tools import Tools
from millstream.trainer.warm_start import Begun
from millstream.trainer.ways import Learnt, blended

_ASKED = 1_000
"""Questions before visits, and as many inside them, on which a model is chosen at most."""
UNSOUND = "its weights are not finite"


class Standing(NamedTuple):
    """The version in service, and the one to go on from, if so: it is the same."""

    champion: Champion
    begun: Begun | None

    def fits(self, settings: TrainerSettings) -> int:
        """How many networks `examine` has learn."""
        if self.begun is not None:
            return 1
        return len(settings.networks) + (self.champion.loaded is not None)


@dataclass(frozen=True, slots=True)
class Examined:
    network: Network
    serving: ServingRule
    metrics: dict[str, float]
    intervals: dict[str, Interval]
    judgement: Judgement
    fairness: Fairness
    exam: Exam
    answers: Views

    def quality(self, judgement: Judgement) -> Quality:
        """`judgement`: the last one, as `reexamine` gives it."""
        return Quality(
            metrics=self.metrics,
            verdict=judgement.verdict,
            passed=judgement.promoted,
            judgement=judgement,
            fairness=self.fairness,
            intervals=self.intervals,
        )


def examine(
    parts: Parts,
    countries: Mapping[str, str],
    standing: Standing,
    tools: Tools,
    started_ms: int,
) -> Examined:
    """Trains on the train part, chooses the network, how recent items count and what the model is
    worth in a list on the validation part, unless it goes on from a version that has chosen, and
    looks at the test part once. `countries`: of the shoppers for whom one was told. Blocks. Raises
    Stopped."""
    rule, champion = tools.settings.measuring(), standing.champion
    if standing.begun is None:
        learnt = _learn(parts, champion, tools, started_ms)
    else:
        learnt = _learn_on(standing.begun, parts, tools, started_ms)
    tools.progress.judges()
    model = finished(learnt.data, learnt.fitted, learnt.serving, tools)
    asked = queries(parts.before_test, parts.test, rule)
    exam = Exam.on(parts.before_test, asked, rule.k, countries)
    shop = tools.whole_lists.standing(parts.before_test)
    judgement, answers = put_to_trial(exam, model, champion.served, shop, tools.gate)
    found = evaluate(
        parts.before_test, learnt.data, Scorer(model), exam.queries, answers[WHOLE_LIST], rule
    )
    shares = msgspec.structs.replace(
        fairness(exam, answers[WHOLE_LIST], tools.catalogue(), tools.gate),
        bounds=tuple(bound_costs(exam, Scorer(model), shop, tools.gate)),
    )
    return Examined(
        network=learnt.network,
        serving=learnt.serving,
        metrics=named_means(found),
        intervals=named_intervals(found, tools.gate),
        judgement=judgement,
        fairness=shares,
        exam=exam,
        answers=answers,
    )


def put_to_trial(
    exam: Exam,
    model: Embeddings,
    served: tuple[str, Scorer] | None,
    shop: WholeListsOf,
    rule: GateRule,
) -> tuple[Judgement, Views]:
    """The verdict on a model that has seen nothing of the exam, beside the one in service, if there
    is one; and its answers. Blocks for seconds."""
    answers = sit(exam, Scorer(model), shop)
    name, scorer = served or (POPULARITY, None)
    if not sound(model):
        return refusal(UNSOUND, name), answers
    if scorer is None:
        return judge(exam, answers, popular_views(exam), name, rule), answers
    known = reach(exam, Scorer(model), scorer, rule)
    return judge(exam, answers, sit(exam, scorer, shop), name, rule, known), answers


def reexamine(examined: Examined, registered: Embeddings, rule: GateRule) -> Judgement:
    """The verdict once it is known what will be registered: arrays that no exam has seen."""
    if not sound(registered):
        return refusal(UNSOUND, examined.judgement.reference)
    scorer = Scorer(registered)
    views = {MODEL: model_lists(examined.exam, scorer)}
    return still_as_measured(examined.judgement, examined.exam, views, examined.answers, rule)


def sound(model: Embeddings) -> bool:
    arrays = [model.user_vectors, model.item_vectors, model.recent_to_user]
    arrays += [np.array([model.dense_weight, model.dense_bias])]
    arrays += [] if model.encoder is None else beside_items(model.encoder).values()
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _learn_on(begun: Begun, parts: Parts, tools: Tools, started_ms: int) -> Learnt:
    """As the version that it goes on from in all that was chosen for that."""
    told = begun.version.manifest
    data = begun.going_on(parts.before_test, tools.settings.recent_items)
    fitted = tools.fit_on(data, told.network, "examined", started_ms)
    return Learnt(told.network, told.rule, data, fitted)


def _learn(parts: Parts, champion: Champion, tools: Tools, started_ms: int) -> Learnt:
    """Beside a version in service, which knows the validation part, it is learnt too."""
    rule = tools.settings.measuring()
    data = encode(parts.train, rule.recent_items)
    asked = [
        *evenly(queries(parts.train, parts.validation, rule), _ASKED),
        *evenly(inner_queries(parts.train, parts.validation, rule), _ASKED),
    ]
    learnt = []
    for network in tools.settings.networks:
        fitted = tools.fit_on(data, network, "measured", started_ms)
        serving = choose_rule(data, fitted, asked, tools.settings.ridge, rule)
        learnt.append(Learnt(network, serving, data, fitted))
    shop, standing = tools.whole_lists.standing(parts.train), champion.way
    best = blended(learnt, parts, shop, tools.settings, standing)
    if champion.loaded is None:
        return best
    data = encode(parts.before_test, rule.recent_items)
    fitted = tools.fit_on(data, best.network, "examined", started_ms)
    return replace(best, data=data, fitted=fitted)


def finished(data: Interactions, fitted: Fitted, serving: ServingRule, tools: Tools) -> Embeddings:
    """What is served: with a vector for each item of the shop that nobody touched yet, too."""
    model = assemble(data, fitted, serving, tools.settings.ridge)
    return with_new_items(model, tools.catalogue())
