"""Reviews to verdicts: what is judged, what is refused, and where the position goes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.structs import ConsumerRecord
from structlog.testing import capture_logs
from tests.review_models import describe_reviews, linear_model

from millstream.domain.errors import Halt
from millstream.domain.log import Partition
from millstream.domain.reviews import Review, ReviewVerdict, Verdict
from millstream.insights.reviews import following, models
from millstream.insights.reviews.following import ReviewReader
from millstream.insights.reviews.judge import JudgeStages, judge
from millstream.insights.reviews.models import SentimentModels, Serving
from millstream.model.registry import Registry
from millstream.model.sentiment.artifact import sentiment_of
from millstream.model.signing import create_keys, load_private_key, load_public_key
from millstream.streaming.chunks import Chunk, LogBounds
from millstream.streaming.dead_letters import DeadLetters

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
TOPIC, VERDICTS = "shop.reviews.v1", "reco.review.sentiment.v1"
TP = (TOPIC, 0)


def review(number: int, text: str = "a great lamp") -> bytes:
    said = Review(
        review_id=f"r-{number}", item_id="mug", user_id=f"u-{number}", time=NOON, text=text
    )
    return msgspec.json.encode(said)


def record(offset: int, value: bytes | None) -> ConsumerRecord[Any, Any]:
    return ConsumerRecord(
        topic=TOPIC,
        partition=0,
        offset=offset,
        timestamp=NOON_MS,
        timestamp_type=0,
        key=b"default:u",
        value=value,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=(),
    )


class Producer:
    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes | None, bytes | None]] = []
        self.fails = False

    async def send_and_wait(
        self, topic: str, value: bytes | None = None, key: bytes | None = None, **_: Any
    ) -> None:
        if self.fails:
            raise ConnectionError
        self.sent.append((topic, value, key))

    @property
    def verdicts(self) -> list[ReviewVerdict]:
        return [
            msgspec.json.decode(value or b"", type=ReviewVerdict)
            for topic, value, _ in self.sent
            if topic == VERDICTS
        ]


class OneModel:
    def __init__(self, slant: float = 1.0) -> None:
        self.made = Serving("sentiment-v7", sentiment_of(linear_model(slant)))

    async def serving(self) -> Serving:
        return self.made


class Log:
    def __init__(self, first: int | None = None) -> None:
        self.first = first

    async def first_offset(self, _source: Partition, _offset: int) -> int | None:
        return self.first


@pytest.fixture
def producer() -> Producer:
    return Producer()


@pytest.fixture
def stages(producer: Producer) -> JudgeStages:
    return JudgeStages(DeadLetters(producer), OneModel(), producer, VERDICTS)


async def test_each_review_is_a_verdict_under_its_shoppers_key_or_a_letter(
    stages: JudgeStages, producer: Producer
) -> None:
    records = [
        record(0, review(0)),
        record(1, b"{"),
        record(2, review(2, "an awful lamp")),
        record(3, None),
    ]
    await judge(records, stages)
    assert [(v.review_id, v.user, v.item_id, v.verdict) for v in producer.verdicts] == [
        ("r-0", "u-0", "mug", Verdict.GOOD),
        ("r-2", "u-2", "mug", Verdict.BAD),
    ]
    good, bad = producer.verdicts
    assert good.probability > 0.5 > bad.probability
    assert {v.model_version for v in producer.verdicts} == {"sentiment-v7"}
    assert good.time == NOON
    keys = [key for topic, _, key in producer.sent if topic == VERDICTS]
    assert keys == [b"default:u-0", b"default:u-2"]
    letters = [value for topic, value, _ in producer.sent if topic == f"{TOPIC}.dlq"]
    assert letters == [b"{", None]


class Driven:
    """A reader with what it asks of Faust."""

    def __init__(self, stages: JudgeStages, log: Log) -> None:
        self.reader = ReviewReader(stages, log)
        self.committed: dict[Partition, int] = {}
        self.rewinds = 0

    async def begin(self, log_start: int = 0, committed: int | None = None) -> int:
        at = await self.reader.resume({TP: LogBounds(log_start, committed)})
        return at[TP]

    async def take(self, *offsets: int) -> None:
        chunk = Chunk(*TP, [record(offset, review(offset)) for offset in offsets])
        await self.reader.handle([chunk], self._rewind, self._commit)

    async def _rewind(self) -> None:
        self.rewinds += 1

    async def _commit(self, offsets: Mapping[Partition, int], _epoch: str) -> bool:
        self.committed |= offsets
        return True


async def test_the_position_moves_once_the_verdicts_are_out(
    stages: JudgeStages, producer: Producer
) -> None:
    driven = Driven(stages, Log())
    assert await driven.begin(log_start=2, committed=5) == 5
    await driven.take(4, 5, 6)
    assert driven.committed == {TP: 7}
    assert [v.review_id for v in producer.verdicts] == ["r-5", "r-6"]
    producer.fails = True
    with pytest.raises(ConnectionError):
        await driven.take(7)
    assert driven.committed == {TP: 7}


async def test_what_was_lost_on_the_way_is_read_again_and_what_never_was_is_stepped_over(
    stages: JudgeStages, producer: Producer
) -> None:
    driven = Driven(stages, Log(first=1))  # the log has it
    await driven.begin()
    await driven.take(0)
    await driven.take(2)
    assert (driven.rewinds, driven.committed) == (1, {TP: 1})
    stepping = Driven(stages, Log(first=2))  # a transaction's marker
    await stepping.begin()
    await stepping.take(0)
    await stepping.take(2)
    assert (stepping.rewinds, stepping.committed) == (0, {TP: 3})


async def test_going_back_without_getting_on_ends(
    stages: JudgeStages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MAX_REWINDS", 3)
    driven = Driven(stages, Log())
    await driven.begin()
    for _ in range(3):
        await driven.take(5)
    with pytest.raises(Halt):
        await driven.take(5)


async def test_what_retention_took_is_told_and_the_rest_judged(
    stages: JudgeStages,
) -> None:
    driven = Driven(stages, Log())
    with capture_logs() as told:
        assert await driven.begin(log_start=9, committed=5) == 9
    [line] = told
    assert (line["log_level"], line["number"]) == ("error", 4)
    with capture_logs() as told:
        assert await driven.begin(log_start=9, committed=None) == 9
    assert not told


class Pointer:
    def __init__(self) -> None:
        self.current: tuple[int, str] | None = None
        self.asked = 0

    async def read(self, _tenant: str, _model: str) -> tuple[int, str] | None:
        self.asked += 1
        return self.current

    async def promote(self, *_: Any) -> bool:
        raise NotImplementedError


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    create_keys(tmp_path / "keys")
    return Registry(tmp_path / "models")


def register(registry: Registry, tmp_path: Path, slant: float = 1.0) -> tuple[int, str]:
    key = load_private_key(tmp_path / "keys")
    manifest, sha = registry.register_reviews(linear_model(slant), describe_reviews, key)
    return manifest.version, sha


async def test_reviews_wait_for_a_model_and_a_new_version_takes_over(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "LOOK_AGAIN_S", 0.01)
    pointer, clock = Pointer(), [0.0]

    def now() -> float:
        clock[0] += 1
        return clock[0]

    served = SentimentModels("default", registry, pointer, load_public_key(tmp_path / "keys"), now)
    waiting = asyncio.create_task(served.serving())
    async with asyncio.timeout(10):
        while pointer.asked < 3:  # noqa: ASYNC110  asked by a task that tells nobody
            await asyncio.sleep(0)
        assert not waiting.done()
        pointer.current = register(registry, tmp_path)
        assert (await waiting).version == "sentiment-v1"
    pointer.current = register(registry, tmp_path, -1.0)
    assert (await served.serving()).version == "sentiment-v2"
    pointer.current = (9, "0" * 64)  # not there: the old one goes on
    assert (await served.serving()).version == "sentiment-v2"
