"""Labelled reviews in, a registered version out; and what can keep it from serving."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.review_models import MODELS
from tests.training.outlets import Pointer, Producer
from tests.training.sentiment.made_reviews import made_reviews
from tests.training.sentiment.training import NOW, linear

from millstream.domain.clock import as_datetime
from millstream.domain.errors import OperatorError
from millstream.domain.models import Decision
from millstream.model.sentiment.artifact import ReviewArrays, sentiment_of
from millstream.model.sentiment.manifest import ReviewKind
from millstream.model.sentiment.review import ReviewText
from millstream.model.signed_files import Identity
from millstream.trainer.sentiment.compare import ReviewGateRule
from millstream.trainer.sentiment.data import Reviews, held_out
from millstream.trainer.sentiment.pipeline import (
    FOLDS,
    LEAST_OF_EACH,
    Collected,
    ReviewTools,
    train_review_version,
)

REVIEWS = made_reviews(1200, 0)
MORE = made_reviews(1600, 0)


def half_deaf(reviews: Reviews) -> ReviewArrays:
    """Two words of praise and two of blame were never heard."""
    unheard = re.compile("great|lovely|awful|flimsy")
    texts = tuple(ReviewText(title, unheard.sub("so", text)) for title, text in reviews.texts)
    return linear(replace(reviews, texts=texts))


def turned_round(reviews: Reviews) -> ReviewArrays:
    return linear(replace(reviews, labels=1 - reviews.labels))


async def test_the_first_version_is_registered_serves_and_is_announced(
    tools: ReviewTools, pointer: Pointer, producer: Producer
) -> None:
    manifest, announced = await train_review_version(Collected(REVIEWS), tools)
    assert (manifest.version, manifest.kind) == (1, ReviewKind.LINEAR)
    assert (announced.decision, announced.promoted) == (Decision.PROMOTED, True)
    assert pointer.current == (1, announced.manifest_sha256)
    [(topic, key, told, standing)] = producer.sent
    assert (topic, key, told) == ("t.reco.models.v1", b"default:sentiment", announced)
    assert standing == pointer.current, "announced before the pointer had moved"
    loaded = tools.outlet.registry.load_reviews(
        tools.outlet.public_key, Identity("default", "sentiment", *pointer.current)
    )
    assert loaded.manifest == manifest
    praise, blame = ReviewText("", "this lamp is great"), ReviewText("", "this lamp is awful")
    assert np.diff(loaded.sentiment.probabilities([blame, praise]))[0] > 0.5


async def test_the_manifest_tells_data_measures_and_verdict(tools: ReviewTools) -> None:
    manifest, _ = await train_review_version(Collected(REVIEWS), tools)
    held = int(held_out(REVIEWS, FOLDS).sum())
    data, quality = manifest.reviews, manifest.quality
    assert (data.good, data.bad, data.folds, data.held_out) == (600, 600, FOLDS, held)
    assert data.domains == {"books": 600, "kitchen": 600}
    assert (manifest.provenance.seed, manifest.created_at) == (7, as_datetime(NOW))
    assert quality.metrics["reviews"] == held
    assert quality.metrics["accuracy"] > 0.95
    assert {"accuracy_books", "accuracy_kitchen", "calibration_error"} < set(quality.metrics)
    assert quality.judgement is not None
    assert quality.verdict.startswith("promoted: the first one")
    assert manifest.groups[0].reviews == held
    assert manifest.groups[0].accuracy.value == quality.metrics["accuracy"]
    assert set(quality.intervals) == set(quality.metrics) - {"reviews"}


async def test_no_version_learns_from_what_versions_are_measured_on(tools: ReviewTools) -> None:
    """Whatever data comes, and in whatever order: a text is on one side for good."""
    learnt = list[Reviews]()

    def fit(reviews: Reviews) -> ReviewArrays:
        learnt.append(reviews)
        return MODELS[ReviewKind.LINEAR]

    for reviews in (REVIEWS, MORE, REVIEWS.take(np.arange(1199, -1, -1))):
        await train_review_version(Collected(reviews), replace(tools, fit=fit))
    measured = {
        " ".join(MORE.texts[row].text.lower().split())
        for row in np.flatnonzero(held_out(MORE, FOLDS))
    }
    assert len(measured) > 200
    for reviews in learnt:
        assert measured.isdisjoint(" ".join(text.text.lower().split()) for text in reviews.texts)


async def test_what_is_registered_is_what_was_measured(tools: ReviewTools) -> None:
    manifest, _ = await train_review_version(Collected(REVIEWS), tools)
    loaded = tools.outlet.registry.load_reviews(
        tools.outlet.public_key, Identity("default", "sentiment", 1)
    )
    asked = REVIEWS.take(np.flatnonzero(held_out(REVIEWS, FOLDS)))
    right = (loaded.sentiment.probabilities(asked.texts) > 0.5) == asked.labels
    assert manifest.quality.metrics["accuracy"] == pytest.approx(right.mean())


async def test_the_same_reviews_again_are_held(
    tools: ReviewTools, pointer: Pointer, producer: Producer
) -> None:
    await train_review_version(Collected(REVIEWS), tools)
    manifest, announced = await train_review_version(Collected(REVIEWS), tools)
    assert (manifest.version, announced.decision) == (2, Decision.HELD)
    assert announced.verdict.startswith("held: not better than v1")
    assert pointer.current is not None
    assert pointer.current[0] == 1
    assert [told.version for _, _, told, _ in producer.sent] == [1, 2]


async def test_more_reviews_are_a_reason_to_change(tools: ReviewTools, pointer: Pointer) -> None:
    await train_review_version(Collected(REVIEWS), tools)
    _, announced = await train_review_version(Collected(MORE), tools)
    assert announced.decision is Decision.PROMOTED
    assert pointer.current is not None
    assert pointer.current[0] == 2


async def test_a_better_one_takes_over_from_a_bad_one(tools: ReviewTools, pointer: Pointer) -> None:
    weak = replace(tools, fit=half_deaf, rule=ReviewGateRule(calibration=1.0))
    await train_review_version(Collected(REVIEWS), weak)
    assert pointer.current is not None, "the weak one never served"
    _, announced = await train_review_version(Collected(REVIEWS), tools)
    assert announced.reasons[0] == "better"
    assert pointer.current[0] == 2
    _, announced = await train_review_version(Collected(MORE), weak)
    assert announced.decision is Decision.REFUSED
    assert pointer.current[0] == 2


@pytest.mark.parametrize("again", [False, True])
async def test_one_that_says_the_opposite_is_refused_and_stands_in_the_store(
    tools: ReviewTools, pointer: Pointer, again: bool
) -> None:
    if again:
        await train_review_version(Collected(REVIEWS), tools)
    before = pointer.current
    manifest, announced = await train_review_version(
        Collected(MORE), replace(tools, fit=turned_round)
    )
    assert (announced.decision, announced.promoted) == (Decision.REFUSED, False)
    assert pointer.current == before
    assert manifest.version in tools.outlet.registry.versions("default", "sentiment")


async def test_of_two_trainers_the_stale_one_is_held(tools: ReviewTools, pointer: Pointer) -> None:
    pointer.overtaken = True
    _, announced = await train_review_version(Collected(REVIEWS), tools)
    assert announced.decision is Decision.HELD
    assert "another trainer moved" in announced.verdict
    assert pointer.current is None


async def test_a_version_that_cannot_answer_is_refused_though_it_measured_well(
    tools: ReviewTools, pointer: Pointer
) -> None:
    """Its table of likeness has more rows than words, which no review asks for."""

    def crooked(reviews: Reviews) -> ReviewArrays:
        arrays = linear(reviews)
        return replace(arrays, likeness=np.vstack([arrays.likeness] * 2))

    _, announced = await train_review_version(Collected(REVIEWS), replace(tools, fit=crooked))
    assert announced.decision is Decision.REFUSED
    assert announced.verdict.startswith("refused: likeness has shape")
    assert pointer.current is None


async def test_a_spoilt_version_in_service_is_no_reference(
    tools: ReviewTools, pointer: Pointer
) -> None:
    """Nobody is served from it; the next one has only to be good."""
    await train_review_version(Collected(REVIEWS), tools)
    path = tools.outlet.registry.directory("default", "sentiment", 1) / "terms.npy"
    path.write_bytes(path.read_bytes()[:-1])
    manifest, announced = await train_review_version(Collected(REVIEWS), tools)
    assert (manifest.version, announced.decision) == (2, Decision.PROMOTED)
    assert pointer.current is not None
    assert pointer.current[0] == 2


async def test_old_versions_go(tools: ReviewTools) -> None:
    for _ in range(4):
        await train_review_version(Collected(REVIEWS), tools)
    assert tools.outlet.registry.versions("default", "sentiment") == [1, 3, 4]


async def test_an_lstm_is_measured_and_registered_the_same_way(tools: ReviewTools) -> None:
    """One that was not fitted to anything: it does not serve, and is told of like any other."""
    lstm = MODELS[ReviewKind.LSTM]
    manifest, announced = await train_review_version(
        Collected(REVIEWS), replace(tools, fit=lambda _: lstm)
    )
    assert (manifest.kind, announced.promoted) == (ReviewKind.LSTM, False)
    held = REVIEWS.take(np.flatnonzero(held_out(REVIEWS, FOLDS)))
    right = (sentiment_of(lstm).probabilities(held.texts) > 0.5) == held.labels
    assert manifest.quality.metrics["accuracy"] == pytest.approx(right.mean())


Spoil = Callable[[Reviews], Reviews]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: made.take(np.arange(2 * LEAST_OF_EACH - 2)),
        lambda made: made.take(np.flatnonzero(made.labels == 1)),
        lambda made: made.take(np.arange(0)),
        lambda made: replace(made, texts=(ReviewText("nice", ""),) * len(made)),
    ],
    ids=["few", "good alone", "none", "nobody's text is held out"],
)
async def test_too_few_of_either_label_are_an_operators_matter(
    tools: ReviewTools, producer: Producer, spoil: Spoil
) -> None:
    with pytest.raises(OperatorError, match=f"at least {LEAST_OF_EACH} of each"):
        await train_review_version(Collected(spoil(REVIEWS)), tools)
    assert (tools.outlet.registry.models(), producer.sent) == ([], [])
