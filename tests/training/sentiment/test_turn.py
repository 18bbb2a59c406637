"""A version of `sentiment` comes when enough rated reviews are new, when time is up, when asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from tests.review_models import linear_model
from tests.training.outlets import Producer
from tests.training.sentiment.made_reviews import made_reviews
from tests.training.sentiment.training import NOW

from millstream.domain.clock import as_datetime
from millstream.domain.training import Step, TrainingState
from millstream.model.manifest import ManifestHead
from millstream.model.sentiment.artifact import ReviewArrays
from millstream.model.sentiment.manifest import ReviewManifest, ReviewWindow
from millstream.trainer.progress import Progress
from millstream.trainer.sentiment.data import NONE, Reviews
from millstream.trainer.sentiment.pipeline import Collected, ReviewTools, train_review_version
from millstream.trainer.sentiment.turn import turn
from millstream.trainer.sentiment.wiring import looked_at, resumed_trigger
from millstream.trainer.settings import TrainerSettings

MADE = made_reviews(900, 3)
SETTINGS = TrainerSettings(
    model_name="sentiment", first_after_reviews=400, every_reviews=100, every_minutes=10.0
)


@dataclass
class Log:
    """So many of MADE have come; a training looks at all of them."""

    count: int = 0
    looked_at: int = 0
    labelled: Reviews = NONE

    def new(self) -> int:
        return self.count - self.looked_at

    async def collect(self) -> tuple[Reviews, ReviewWindow]:
        window = ReviewWindow({0: self.count}, NOW - 9, NOW - 1, self.count + 1, 1, self.count)
        return self.labelled.joined(MADE.take(np.arange(self.count))), window

    def look_at(self, offsets: Mapping[int, int]) -> None:
        self.looked_at = offsets[0]


@pytest.fixture
def quick(tools: ReviewTools) -> ReviewTools:
    return replace(tools, fit=lambda _: linear_model())


def newest(tools: ReviewTools) -> ManifestHead | None:
    return tools.outlet.registry.newest(tools.outlet.public_key, "default", "sentiment")


def standing(tools: ReviewTools) -> list[ManifestHead]:
    return list(tools.outlet.registry.newest_first(tools.outlet.public_key, "default", "sentiment"))


def versions(tools: ReviewTools) -> int:
    return len(tools.outlet.registry.versions("default", "sentiment"))


async def test_versions_come_with_the_reviews_and_tell_what_they_learnt_from(
    quick: ReviewTools, producer: Producer
) -> None:
    log, trigger = Log(399), resumed_trigger(SETTINGS, [], quick.progress)
    tools = replace(quick, outlet=replace(quick.outlet, keep=9))
    for count, made in ((399, 0), (400, 1), (499, 1), (500, 2), (500, 2)):
        log.count = count
        await turn(log, trigger, tools)
        assert versions(tools) == made == len(producer.sent)
    found = newest(tools)
    assert isinstance(found, ReviewManifest)
    assert found.window == ReviewWindow({0: 500}, NOW - 9, NOW - 1, 501, 1, 500)
    assert found.occasion is not None
    assert found.occasion.why == "reviews"
    assert (found.reviews.good, found.reviews.bad) == (250, 250)


async def test_one_that_is_started_again_goes_on_from_the_newest_version(
    quick: ReviewTools,
) -> None:
    await turn(Log(400), resumed_trigger(SETTINGS, [], quick.progress), quick)
    found = standing(quick)
    assert looked_at(found) == {0: 400}
    for count, made in ((499, 1), (500, 2)):
        await turn(
            Log(count, looked_at=400), resumed_trigger(SETTINGS, found, quick.progress), quick
        )
        assert versions(quick) == made


async def test_what_was_learnt_before_an_operators_labelled_reviews_is_not_new_again(
    quick: ReviewTools,
) -> None:
    await turn(Log(400), resumed_trigger(SETTINGS, [], quick.progress), quick)
    await train_review_version(Collected(MADE), quick)
    found = standing(quick)
    assert isinstance(found[0], ReviewManifest)
    assert found[0].window is None
    assert looked_at(found) == {0: 400}
    assert looked_at(found[:1]) == {}, "of a topic that no training has looked at all is new"
    await turn(Log(499, looked_at=400), resumed_trigger(SETTINGS, found, quick.progress), quick)
    assert versions(quick) == 2


async def test_it_trains_when_asked_and_when_time_is_up_if_something_is_new(
    quick: ReviewTools,
) -> None:
    now, trigger, log = [NOW], resumed_trigger(SETTINGS, [], quick.progress), Log(400)
    tools = replace(quick, clock=lambda: now[0], outlet=replace(quick.outlet, keep=9))
    await turn(log, trigger, tools)
    whys = []
    for wait_ms, count, asks in ((600_000, 400, False), (1, 401, False), (1, 401, True)):
        now[0] += wait_ms
        log.count = count
        if asks:
            trigger.ask(now[0])
        before = versions(tools)
        await turn(log, trigger, tools)
        found = newest(tools)
        assert isinstance(found, ReviewManifest)
        assert found.occasion is not None
        whys.append(found.occasion.why if versions(tools) > before else None)
    assert whys == [None, "time", "asked"]


async def test_labelled_reviews_alone_make_the_first_version(quick: ReviewTools) -> None:
    labelled = SETTINGS.model_copy(update={"reviews_dir": "somewhere"})
    log, trigger = Log(0, labelled=MADE), resumed_trigger(labelled, [], quick.progress)
    for _ in range(2):
        await turn(log, trigger, quick)
        assert versions(quick) == 1
    log.count = 100
    await turn(log, trigger, quick)
    found = newest(quick)
    assert isinstance(found, ReviewManifest)
    assert (found.version, found.reviews.good + found.reviews.bad) == (2, 1000)


async def test_too_few_reviews_are_waited_out(quick: ReviewTools) -> None:
    log = Log(150)
    trigger = resumed_trigger(
        SETTINGS.model_copy(update={"first_after_reviews": 150}), [], quick.progress
    )
    for count, made in ((150, 0), (249, 0), (250, 1)):
        log.count = count
        await turn(log, trigger, quick)
        assert versions(quick) == made


async def test_it_tells_what_it_waits_for_what_it_is_at_and_what_came_of_it(
    quick: ReviewTools,
) -> None:
    seen: list[TrainingState] = []

    def fit(_: Reviews) -> ReviewArrays:
        seen.append(quick.progress.state)
        return linear_model()

    tools, log = replace(quick, fit=fit), Log(100)
    few = SETTINGS.model_copy(update={"first_after_reviews": 101})
    trigger = resumed_trigger(few, [], quick.progress)
    for count in (100, 101, 400):
        log.count = count
        await turn(log, trigger, tools)
        seen.append(quick.progress.state)
    waits, failed, learns, ended = seen
    assert (waits.step, waits.new, waits.wanted, waits.last) == (Step.WAITING, 100, 101, None)
    assert failed.last is not None
    assert (failed.new, failed.wanted, failed.last.version) == (0, 100, None)
    assert failed.last.verdict == "too few reviews to learn from: 51 good and 50 bad ones"
    assert (learns.step, learns.why, learns.fit, learns.fits) == (Step.LEARNING, "reviews", 1, 1)
    assert learns.began_at == as_datetime(NOW)
    assert ended.last is not None
    assert (ended.step, ended.new, ended.last.version) == (Step.WAITING, 0, 1)
    again = Progress()
    resumed_trigger(SETTINGS, standing(quick), again)
    assert again.state.last == ended.last
