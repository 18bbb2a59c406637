"""START HERE for reviews: from what buyers wrote to a verdict on the log.

1. decode: bytes to reviews; what is none becomes a durable dead letter with its reason.
2. judge: all by one version of the model; while there is none, reviews wait.
3. tell: a verdict on each, durable on its topic.

Then the position moves (following.py). Each step may be repeated: a review that is judged twice has
two verdicts on the log, and the first of them counts (count.py)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import msgspec

from millstream.domain.errors import Refused
from millstream.domain.failpoints import failpoint
from millstream.domain.identity import record_key
from millstream.domain.reviews import Review, ReviewVerdict, Verdict, decode_review
from millstream.insights import telemetry
from millstream.insights.publish import Producer
from millstream.insights.reviews.models import Serving
from millstream.model.sentiment.review import ReviewText
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.decode import Record, as_log_record
from millstream.streaming.offload import offload


class Models(Protocol):
    async def serving(self) -> Serving:
        """The version in service; waits until there is one."""
        ...


@dataclass(frozen=True, slots=True)
class JudgeStages:
    """`topic`: of verdicts."""

    dead_letters: DeadLetters
    models: Models
    producer: Producer
    topic: str


async def judge(records: Sequence[Record], stages: JudgeStages) -> None:
    """Returns when each record is a durable verdict or a durable letter. Raises what the producer
    raises."""
    reviews = await decode(records, stages.dead_letters)
    if not reviews:
        return
    serving = await stages.models.serving()
    verdicts = await offload(partial(verdicts_of, reviews, serving))
    # verdicts: one for each review
    failpoint("before-verdicts")
    await asyncio.gather(
        *(
            stages.producer.send_and_wait(
                stages.topic, msgspec.json.encode(verdict), record_key(verdict.tenant, verdict.user)
            )
            for verdict in verdicts
        )
    )
    failpoint("after-verdicts")
    for verdict in verdicts:
        telemetry.REVIEWS.labels(verdict.verdict.value).inc()


async def decode(records: Sequence[Record], dead_letters: DeadLetters) -> list[Review]:
    """Returns when every letter is durable."""
    reviews: list[Review] = []
    refused: list[tuple[Record, Refused]] = []
    for record in records:
        try:
            reviews.append(decode_review(record.value, record.timestamp))
        except Refused as why:
            refused.append((record, why))
    await asyncio.gather(*(dead_letters.send(as_log_record(r), why) for r, why in refused))
    telemetry.REVIEWS.labels("refused").inc(len(refused))
    return reviews


def verdicts_of(reviews: Sequence[Review], serving: Serving) -> list[ReviewVerdict]:
    """Milliseconds of CPU a review."""
    texts = [ReviewText(review.title, review.text) for review in reviews]
    return [
        ReviewVerdict(
            review_id=review.review_id,
            tenant=review.tenant,
            user=review.shopper,
            item_id=review.item_id,
            verdict=Verdict.GOOD if probability >= 0.5 else Verdict.BAD,
            probability=probability,
            model_version=serving.version,
            time=review.time,
        )
        for review, probability in zip(
            reviews,
            serving.sentiment.probabilities(texts).astype(float).round(4).tolist(),
            strict=True,
        )
    ]
