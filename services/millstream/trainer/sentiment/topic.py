"""The topic of reviews as its trainer reads it: counted as they come, read whole for a training."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from millstream.model.sentiment.manifest import ReviewWindow
from millstream.privacy.following import ErasureFollower
from millstream.streaming.followers import Follower, follow, read_to_its_end
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import ERASURES, REVIEWS
from millstream.trainer.sentiment.collect import NewReviews, RatedReviews
from millstream.trainer.sentiment.data import Reviews
from millstream.trainer.settings import TrainerSettings

READ_SECONDS = 600.0
_NEEDED = "every review that is rated"


@dataclass(frozen=True, slots=True)
class ReviewTopic:
    """Implements turn.ReviewLog. `labelled`: what each version learns from beside it."""

    settings: TrainerSettings
    labelled: Reviews
    erasures: ErasureFollower
    counted: NewReviews
    follower: Follower

    def new(self) -> int:
        self.follower.raise_what_ended_it()
        return self.counted.count()

    async def collect(self) -> tuple[Reviews, ReviewWindow]:
        settings = self.settings
        rated = RatedReviews(settings.tenant, settings.most_reviews)
        topic = settings.topic(REVIEWS)
        follower = follow(settings.brokers, topic, rated.take)
        await read_to_its_end(follower, settings.brokers, topic, READ_SECONDS, _NEEDED)
        await follower.close()
        self.erasures.take_new()  # raises where they are not known any more
        reviews, window = rated.learnable(self.erasures.marks)
        return self.labelled.joined(reviews), window

    def look_at(self, offsets: Mapping[int, int]) -> None:
        self.counted.look_at(offsets)


@asynccontextmanager
async def opened(
    settings: TrainerSettings, labelled: Reviews, looked_at: Mapping[int, int]
) -> AsyncIterator[ReviewTopic]:
    """Counted up to now, and followed. Raises OperatorError where a topic is missing, or not read
    to its end in time."""
    topic, counted = settings.topic(REVIEWS), NewReviews(settings.tenant, looked_at)
    await partitions_of(settings.brokers, topic)  # to follow a topic could create it
    async with ErasureFollower(settings.brokers, settings.topic(ERASURES)) as erasures:
        follower = follow(settings.brokers, topic, counted.take)
        await read_to_its_end(follower, settings.brokers, topic, READ_SECONDS, _NEEDED)
        try:
            yield ReviewTopic(settings, labelled, erasures, counted, follower)
        finally:
            await follower.close()
