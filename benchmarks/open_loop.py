"""Load that does not wait for answers: a Poisson process fixes when each record is to be sent, and
latency counts from then, not from when it was sent (no coordinated omission)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.structs import ConsumerRecord
from hdrh.histogram import HdrHistogram

from millstream.domain.log import SENT_AT

WARM_S = 2.0
GRACE_S = 20.0
LEAD_S, MAKING_S = 0.2, 0.0002
"""Before the first record: some time, and some for each record that is made beforehand."""
LEAST = 50
"""Records at least, however slow the rate."""
_DIGITS = 3
_MOST_US = 600_000_000
_POLL_S = 0.05

Make = Callable[[int, int], tuple[bytes, bytes]]
"""(number of the record, its scheduled time in ms) -> its key and value; called before the load."""


@dataclass(frozen=True)
class Target:
    """Where records go, and who reads the answers."""

    producer: AIOKafkaProducer
    topic: str
    consumer: AIOKafkaConsumer


@dataclass
class Answers:
    """Scheduled times are whole milliseconds, cut off: a latency may be told up to one too long,
    never too short."""

    since_ms: int
    """What was scheduled before it warmed up only."""
    latencies: HdrHistogram = field(default_factory=lambda: HdrHistogram(1, _MOST_US, _DIGITS))
    waiting: Counter[int] = field(default_factory=Counter)
    total: int = 0
    """Answers that came so far."""
    warming_up: int = 0
    """Those of them that came before `since_ms`."""

    def sent(self, scheduled_ms: int) -> None:
        self.waiting[scheduled_ms] += 1

    def came(self, scheduled_ms: int, now_s: float) -> None:
        """Of a time that nothing waits for (an answer that came twice): passed over."""
        if self.waiting[scheduled_ms] <= 0:
            del self.waiting[scheduled_ms]
            return
        self.waiting[scheduled_ms] -= 1
        if not self.waiting[scheduled_ms]:
            del self.waiting[scheduled_ms]
        self.total += 1
        self.warming_up += now_s * 1000 < self.since_ms
        self._record(scheduled_ms, now_s)

    def give_up(self, now_s: float) -> int:
        """What never came counts as long as it was waited for; returns how many of them."""
        given_up = [at for at, n in self.waiting.items() for _ in range(n) if at >= self.since_ms]
        for scheduled_ms in given_up:
            self._record(scheduled_ms, now_s)
        self.waiting.clear()
        return len(given_up)

    def _record(self, scheduled_ms: int, now_s: float) -> None:
        if scheduled_ms >= self.since_ms:
            self.latencies.record_value(max(1, round(now_s * 1e6 - scheduled_ms * 1e3)))

    def ms(self, percentile: float) -> float:
        value: int = self.latencies.get_value_at_percentile(percentile)
        return round(value / 1000, 2)


@dataclass(frozen=True)
class Measured:
    rate: float
    """Records a second that were scheduled, and sent: the schedule waits for nobody."""
    answered_per_s: float
    """Answers a second while records were sent, after the warm-up."""
    p50_ms: float
    p99_ms: float
    p999_ms: float
    answers: int
    unanswered: int


async def measure(make: Make, target: Target, rate: float, seconds: float, seed: int) -> Measured:
    """`rate` records a second for `seconds`, after WARM_S, or as long if that is less; answers are
    records that the target's consumer reads, told apart by their header SENT_AT."""
    warm_s = min(WARM_S, seconds)
    gaps = np.random.default_rng(seed).exponential(
        1 / rate, max(LEAST, round(rate * (warm_s + seconds)))
    )
    after = np.cumsum(gaps)
    began = time.time() + LEAD_S + len(gaps) * MAKING_S
    schedule = [float(at) for at in began + after]
    made = [make(number, int(at_s * 1000)) for number, at_s in enumerate(schedule)]
    answers = Answers(round((began + warm_s) * 1000))
    async with _reading(target.consumer, answers) as raise_what_ended:
        for (key, value), at_s in zip(made, schedule, strict=True):
            # Lets the reader have its turn also where we are late.
            await asyncio.sleep(max(0.0, at_s - time.time()))
            await _send(target, answers, (key, value), int(at_s * 1000))
        answered = answers.total - answers.warming_up
        deadline = time.time() + GRACE_S
        while answers.waiting and time.time() < deadline:
            raise_what_ended()
            await asyncio.sleep(_POLL_S)
    unanswered = answers.give_up(time.time())
    counted = int(answers.latencies.get_total_count())
    lasted = schedule[-1] - began - warm_s
    return Measured(
        rate=round(counted / lasted, 1),
        answered_per_s=answered / lasted,
        p50_ms=answers.ms(50),
        p99_ms=answers.ms(99),
        p999_ms=answers.ms(99.9),
        answers=counted - unanswered,
        unanswered=unanswered,
    )


async def _send(
    target: Target, answers: Answers, record: tuple[bytes, bytes], scheduled_ms: int
) -> None:
    key, value = record
    answers.sent(scheduled_ms)
    await target.producer.send(
        target.topic,
        value,
        key,
        timestamp_ms=scheduled_ms,
        headers=[(SENT_AT, str(scheduled_ms).encode())],
    )


@asynccontextmanager
async def _reading(
    consumer: AIOKafkaConsumer, answers: Answers
) -> AsyncIterator[Callable[[], None]]:
    task = asyncio.create_task(_read(consumer, answers))
    try:
        yield lambda: task.result() if task.done() else None
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _read(consumer: AIOKafkaConsumer, answers: Answers) -> None:
    while True:
        batches = await consumer.getmany(timeout_ms=500)
        now_s = time.time()
        for records in batches.values():
            for record in records:
                scheduled_ms = sent_at(record)
                if scheduled_ms is not None:
                    answers.came(scheduled_ms, now_s)


def sent_at(record: ConsumerRecord[Any, Any]) -> int | None:
    found = [content for name, content in record.headers if name == SENT_AT and content]
    return int(found[0]) if found else None
