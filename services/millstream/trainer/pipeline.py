"""START HERE: accumulated events to a model that shoppers are served from."""

from __future__ import annotations

from functools import partial

import structlog

from millstream.domain.models import ModelAnnouncement
from millstream.model.artifact import Identity
from millstream.model.embeddings import Embeddings, ServingRule
from millstream.model.indexing import with_index
from millstream.model.manifest import ArtifactRefused, Manifest, Quality
from millstream.model.scorer import Scorer
from millstream.streaming.topics import MODELS
from millstream.trainer.announce import announce, promote
from millstream.trainer.clean import clean
from millstream.trainer.collect import Window
from millstream.trainer.encode import Interactions, encode
from millstream.trainer.evaluate import choose_rule, evaluate, named_means
from millstream.trainer.fitting import assemble
from millstream.trainer.gate import judge
from millstream.trainer.offload import offload
from millstream.trainer.register import data_window, describer
from millstream.trainer.split import Parts, queries, split_by_time
from millstream.trainer.tools import Tools

_log = structlog.get_logger(__name__)


async def train_version(window: Window, tools: Tools) -> ModelAnnouncement:
    """One version from a window of the lake: measured, registered, promoted if it may, announced.

    Takes seconds to minutes; the event loop stays free. Raises Stopped when told to end, and
    ValueError where cleaning leaves nothing to train on."""
    settings, started_ms = tools.settings, tools.clock()
    # window.lines: (lines, >= 7), the accepted item lines in log-time order
    cleaned = await offload(partial(clean, window.lines, tools.hidden(), settings.cleaning()))
    # cleaned.lines: (m, 6) user, event_id, type, item, weight, time_ms, in event-time order
    parts = split_by_time(cleaned.lines, settings.measuring())
    # parts: train (85 % of m), validation (5 %), test (10 %), one after the other in time
    serving, metrics = await offload(partial(_measure, parts, tools, started_ms))
    # metrics: recall, MRR and NDCG at 20 of model, whole list, popularity, co-visitation
    judgement = judge(metrics, settings.measuring().k)
    # judgement: may this version serve, and why
    data = await offload(partial(encode, cleaned.lines, settings.recent_items))
    # data: (pairs,) user row, item row and weight, now of the whole window
    model = await offload(partial(_train, data, serving, tools, started_ms))
    # model: (users, d), (items, d), (d + 1, d), and the Dense layer's two numbers
    current = await tools.pointer.read(settings.tenant, settings.model_name)
    expected = None if current is None else current[0]
    facts = data_window(window, settings, len(data.user_rows))
    quality = Quality(metrics, judgement.verdict, judgement.passed)
    describe = describer(settings, facts, serving, quality, started_ms)
    manifest, sha = await offload(
        partial(tools.registry.register, model, describe, tools.key, expected or 0)
    )
    # manifest: signed, beside its files in the model store
    refusal = await offload(partial(_refusal, manifest, sha, tools))
    # refusal: None where the files load and answer as they should
    outcome = await _outcome(manifest, sha, refusal, expected, tools)
    # outcome: whether the current version moved, and the verdict
    announcement = await announce(tools.producer, settings.topic(MODELS), manifest, sha, outcome)
    _log.info(
        "model version",
        version=manifest.version,
        verdict=announcement.verdict,
        seconds=round((tools.clock() - started_ms) / 1000, 1),
        lines=facts.lines,
        left_out=cleaned.removed,
        **metrics,
    )
    return announcement


def _measure(parts: Parts, tools: Tools, started_ms: int) -> tuple[ServingRule, dict[str, float]]:
    """Trains on the train part, chooses how recent items count on the validation part, and
    looks at the test part once."""
    rule, ridge = tools.settings.measuring(), tools.settings.ridge
    data = encode(parts.train, rule.recent_items)
    fitted = tools.fit_on(data, "measured", started_ms)
    held_out = queries(parts.train, parts.validation, rule)
    serving = choose_rule(data, fitted, held_out, ridge, rule)
    scorer = Scorer(assemble(data, fitted, serving, ridge))
    asked = queries(parts.before_test, parts.test, rule)
    found = evaluate(parts.before_test, data, scorer, asked, tools.whole_list, rule)
    return serving, named_means(found)


def _train(data: Interactions, serving: ServingRule, tools: Tools, started_ms: int) -> Embeddings:
    """The version itself learns from the whole window, by the settings that were measured: the
    newest lines are those it will be asked about. Many items get an index, if one is good."""
    settings = tools.settings
    fitted = tools.fit_on(data, "registered", started_ms)
    parts = assemble(data, fitted, serving, settings.ridge)
    if len(parts.items) < settings.index_from_items:
        return parts
    return with_index(parts, settings.seed) or parts


def _refusal(manifest: Manifest, sha: str, tools: Tools) -> str | None:
    """What a recommender would find wrong with the version."""
    wanted = Identity(manifest.tenant, manifest.model, manifest.version, sha)
    try:
        tools.registry.load(tools.key.public_key(), wanted)
    except ArtifactRefused as refused:
        return refused.reason
    return None


async def _outcome(
    manifest: Manifest, sha: str, refusal: str | None, expected: int | None, tools: Tools
) -> tuple[bool, str]:
    if refusal is not None:
        return False, f"not promoted: {refusal}"
    if not manifest.quality.passed:
        return False, manifest.quality.verdict
    return await promote(tools.pointer, manifest, sha, expected)
