"""START HERE for reviews: labelled and rated ones to a model that may judge.

What is learnt from is an operator's file (data.py), or what has come to the topic of reviews
(collect.py), which turn.py looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from millstream.domain.clock import as_datetime
from millstream.domain.errors import OperatorError
from millstream.domain.models import ModelAnnouncement
from millstream.model.embeddings import FloatArray
from millstream.model.judgement import Judgement
from millstream.model.manifest import SCHEMA_VERSION, Occasion, Provenance, Quality
from millstream.model.registry import LoadedReviews
from millstream.model.sentiment.artifact import ReviewArrays, ReviewFiles, sentiment_of
from millstream.model.sentiment.manifest import MODEL, ReviewData, ReviewManifest, ReviewWindow
from millstream.streaming.offload import offload
from millstream.trainer import telemetry
from millstream.trainer.code_version import code_version
from millstream.trainer.outlet import Outlet
from millstream.trainer.progress import Progress
from millstream.trainer.sentiment.calibration import calibration_error
from millstream.trainer.sentiment.compare import NEUTRAL, InService, ReviewGateRule, largest_domains
from millstream.trainer.sentiment.data import FILE_NAME, Reviews, held_out
from millstream.trainer.sentiment.gate import judge_reviews
from millstream.trainer.sentiment.groups import named_intervals, review_groups
from millstream.trainer.trigger import Why

FOLDS = 5
"""One of them is held out, for good: another number would deal into a version's exam what the one
in service has learnt from."""
LEAST_OF_EACH = 100


@dataclass(frozen=True, slots=True)
class ReviewTools:
    """What a training needs of the world. `fit`: blocks for seconds to minutes; `settings_digest`:
    stands for what decides its outcome, apart from reviews and seed."""

    fit: Callable[[Reviews], ReviewArrays]
    settings_digest: str
    seed: int
    rule: ReviewGateRule
    outlet: Outlet
    clock: Callable[[], int]
    progress: Progress = field(default_factory=Progress)


def are_enough(reviews: Reviews) -> bool:
    """Whether a model can be learnt of them, and something is left to measure it on."""
    good = int(reviews.labels.sum())
    are_many = min(good, len(reviews) - good) >= LEAST_OF_EACH
    return are_many and bool(held_out(reviews, FOLDS).any())


def require_enough(reviews: Reviews) -> None:
    """Raises OperatorError."""
    if not are_enough(reviews):
        good = int(reviews.labels.sum())
        bad = len(reviews) - good
        raise OperatorError(
            f"the reviews in {FILE_NAME}",
            f"{good} good and {bad} bad ones of {len(set(reviews.texts))} texts",
            f"at least {LEAST_OF_EACH} of each, of many texts",
            "Give a larger file; of fewer nobody could tell how good the model is",
        )


@dataclass(frozen=True, slots=True)
class Collected:
    """`window`, `why`: where rated reviews of the topic are among them."""

    reviews: Reviews
    window: ReviewWindow | None = None
    why: Why | None = None


async def train_review_version(
    collected: Collected, tools: ReviewTools
) -> tuple[ReviewManifest, ModelAnnouncement]:
    """Measured on reviews that it has not seen, registered, promoted if it may, announced. What was
    measured is what is registered. Raises OperatorError."""
    reviews, outlet, started_ms = collected.reviews, tools.outlet, tools.clock()
    # reviews: texts, labels and domains
    require_enough(reviews)
    champion = await outlet.in_service(outlet.registry.load_reviews)
    # champion: number and version in service, loaded, or none
    held = held_out(reviews, FOLDS)
    learnt, asked = reviews.take(np.flatnonzero(~held)), reviews.take(np.flatnonzero(held))
    # learnt: four fifths; asked: one fifth, which no version has learnt from
    tools.progress.watch(lambda: False)  # no fit of reviews tells how far it is
    arrays = await offload(partial(tools.fit, learnt))
    # arrays: of a linear model or an LSTM
    tools.progress.judges()
    data = review_data(reviews, len(asked))
    given = await offload(partial(sentiment_of(arrays).probabilities, asked.texts))
    # given: (asked,) probabilities of a good one
    groups = await offload(partial(review_groups, asked, given, tools.rule))
    # groups: of `asked`, by domain, label, length and probability, each with its intervals
    judgement = await offload(partial(_judged, given, asked, champion, data, tools.rule))
    # judgement: refused, held or promoted, beside the champion on the same reviews
    quality = Quality(
        metrics=_figures(asked, given),
        verdict=judgement.verdict,
        passed=judgement.promoted,
        judgement=judgement,
        intervals=named_intervals(groups),
    )

    def describe(version: int, files: ReviewFiles) -> ReviewManifest:
        return ReviewManifest(
            schema_version=SCHEMA_VERSION,
            tenant=outlet.name[0],
            model=MODEL,
            version=version,
            arrays=files.arrays,
            lists=files.lists,
            provenance=Provenance(code_version(), tools.settings_digest, tools.seed),
            quality=quality,
            created_at=as_datetime(started_ms),
            kind=files.kind,
            reviews=data,
            window=collected.window,
            occasion=None if collected.why is None else Occasion(collected.why, {}),
            groups=groups,
        )

    number, _ = champion
    tools.progress.registers()
    store = outlet.registry.register_reviews
    manifest, sha = await offload(partial(store, arrays, describe, outlet.key, number or 0))
    # manifest: signed, beside its files in the model store
    announcement = await outlet.release(manifest, sha, number)
    # announcement: whether the current version moved, and the verdict
    telemetry.trained(announcement, data.learnt, started_ms, tools.clock())
    tools.progress.ended(tools.clock(), announcement.verdict, manifest.version)
    await outlet.retain()
    return manifest, announcement


def review_data(reviews: Reviews, asked: int) -> ReviewData:
    good = int(reviews.labels.sum())
    return ReviewData(good, len(reviews) - good, largest_domains(reviews), FOLDS, asked)


_Champion = tuple[int | None, LoadedReviews | None]


def _judged(
    ours: FloatArray,
    asked: Reviews,
    champion: _Champion,
    data: ReviewData,
    rule: ReviewGateRule,
) -> Judgement:
    """Blocks for seconds."""
    number, loaded = champion
    theirs = None
    if loaded is not None:
        given = loaded.sentiment.probabilities(asked.texts)
        theirs = InService(f"v{number}", given, loaded.manifest.reviews.learnt)
    return judge_reviews(asked, ours, theirs, data, rule)


def _figures(asked: Reviews, given: FloatArray) -> dict[str, float]:
    right, domains = (given > NEUTRAL) == asked.labels, np.array(asked.domains)
    return {
        "accuracy": float(right.mean()),
        "calibration_error": calibration_error(given, asked.labels),
        **{
            f"accuracy_{name}": float(right[domains == name].mean())
            for name in largest_domains(asked)
        },
        "reviews": float(len(asked)),
    }
