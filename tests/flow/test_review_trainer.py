"""Rated reviews on their topic, through the trainer of `sentiment`, to the version that judges.

One shopper is erased before: what that one wrote is in no version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import msgspec
import pytest
from tests.commands import ran
from tests.training.sentiment.made_reviews import made_reviews

from millstream.client import AsyncClient
from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.erasures import Erasure
from millstream.domain.identity import record_key
from millstream.domain.lists import Origin
from millstream.domain.models import ModelAnnouncement
from millstream.domain.reviews import ReviewVerdict
from millstream.domain.training import Step, TrainingState
from millstream.local.brokers import KafkaEndpoint, RedisEndpoint
from millstream.local.deployment import Deployment, ServiceProcess, deployed
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.registry import Registry
from millstream.model.sentiment.manifest import ReviewManifest
from millstream.model.signed_files import Identity
from millstream.model.signing import load_public_key
from millstream.stores.keys import Keys
from millstream.stores.redis import connect
from millstream.stores.training_states import TrainingStates
from millstream.streaming.followers import follow
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import ERASURES, EVENTS, MODELS, REVIEW_VERDICTS

PATIENCE_S = 90.0
RATED = 1_200
MADE = made_reviews(RATED, 5, plain=True)
SECRET = "zanzibarian"  # noqa: S105  a word that the erased shopper alone wrote, in two reviews


@dataclass
class Shop:
    deployment: Deployment
    client: AsyncClient
    announced: list[ModelAnnouncement]
    verdicts: list[ReviewVerdict]
    port: int = field(default_factory=free_port)

    async def trainer(self) -> ServiceProcess:
        return await self.deployment.start(
            "trainer",
            model_name="sentiment",
            first_after_reviews=RATED,
            every_reviews=RATED,
            poll_s=0.1,
            niceness=0,
            metrics_port=self.port,
        )

    async def told(self, version: int) -> TrainingState:
        """For the gateway to show, once that version has ended a training."""
        settings = self.deployment.settings
        async with asyncio.timeout(PATIENCE_S), connect(settings.redis_url) as redis:
            states = TrainingStates(redis, Keys(settings.redis_prefix))
            while True:
                told = (await states.of("default")).get("sentiment")
                if told and told.state.last and told.state.last.version == version:
                    return told.state
                await asyncio.sleep(0.05)

    async def until(self, holds: Callable[[], object], what: str) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while not holds():
            self.deployment.raise_dead()
            assert asyncio.get_running_loop().time() < deadline, f"{what}: not in {PATIENCE_S} s"
            await asyncio.sleep(0.02)

    async def write(self, first: int, last: int) -> None:
        await asyncio.gather(
            *(
                self.client.review(
                    "mug",
                    user_id=f"u-{number}",
                    title=MADE.texts[number].title,
                    text=MADE.texts[number].text,
                    rating=5 if MADE.labels[number] else 1,
                    review_id=f"r-{number}",
                )
                for number in range(first, last)
            )
        )

    def shown(self, version: int) -> ReviewManifest:
        settings = self.deployment.settings
        found = Registry(settings.model_store).show(
            load_public_key(settings.keys_dir), Identity("default", "sentiment", version)
        )
        assert isinstance(found, ReviewManifest)
        return found


@pytest.fixture
async def shop(tansu: Tansu, valkey: Valkey) -> AsyncIterator[Shop]:
    kafka = KafkaEndpoint(tansu.bootstrap_servers, tansu.name, False, 10)
    async with deployed(kafka, RedisEndpoint(valkey.url, valkey.name)) as deployment:
        settings = deployment.settings
        shop = Shop(
            deployment,
            AsyncClient(
                tansu.bootstrap_servers, topic_prefix=settings.topic_prefix, idempotence=False
            ),
            [],
            [],
        )
        followers = [
            follow(
                settings.brokers,
                settings.topic(MODELS),
                lambda record: shop.announced.append(
                    msgspec.json.decode(record.value or b"", type=ModelAnnouncement)
                ),
            ),
            follow(
                settings.brokers,
                settings.topic(REVIEW_VERDICTS),
                lambda record: shop.verdicts.append(
                    msgspec.json.decode(record.value or b"", type=ReviewVerdict)
                ),
            ),
        ]
        async with shop.client:
            for follower in followers:
                await follower.start()
            yield shop
            for follower in followers:
                await follower.close()


async def erase(shop: Shop, user: str) -> None:
    settings = shop.deployment.settings
    mark = as_datetime(wall_clock()) + timedelta(minutes=1)
    erasure = Erasure(
        tenant="default", user=user, time=mark, origin=Origin(settings.topic(EVENTS), 0, 0)
    )
    async with producer_for(settings, "test-eraser") as producer:
        await producer.send_and_wait(
            settings.topic(ERASURES), msgspec.json.encode(erasure), record_key("default", user)
        )


async def test_what_buyers_rate_becomes_the_version_that_judges(shop: Shop) -> None:
    for number in range(2):
        await shop.client.review(
            "mug", user_id="gone", text=f"{SECRET} lamp {number}", rating=1, review_id=f"g-{number}"
        )
    await erase(shop, "gone")
    await shop.write(0, RATED - 3)
    trainer = await shop.trainer()
    await shop.deployment.start(
        "insights",
        insights_reviews=True,
        insights_demand=False,
        insights_group=f"{shop.deployment.settings.topic_prefix}insights",
    )
    await shop.until(
        lambda: "reviews wait" in shop.deployment._services[1].log_tail(), "insights waits"
    )
    assert shop.announced == [], "one review too early"
    await shop.write(RATED - 3, RATED)
    await shop.until(lambda: shop.announced, "the first version is announced")
    first = shop.announced[0]
    assert (first.model, first.version, first.promoted) == ("sentiment", 1, True), first.verdict

    told = shop.shown(1)
    assert told.window is not None
    assert told.occasion is not None
    assert (told.window.rated, told.window.erased, told.window.learnt) == (RATED + 2, 2, RATED)
    assert sum(told.window.offsets.values()) == RATED + 2
    assert (told.reviews.good, told.reviews.bad) == (RATED // 2, RATED // 2)
    assert (told.occasion.why, told.provenance.seed) == ("reviews", 1)
    words = Registry(shop.deployment.settings.model_store).directory("default", "sentiment", 1)
    assert SECRET not in (words / "words.json").read_text()
    assert "sturdy" in (words / "words.json").read_text()

    await shop.until(lambda: len(shop.verdicts) == RATED + 2, "every review has a verdict")
    assert {verdict.model_version for verdict in shop.verdicts} == {"sentiment-v1"}

    asked = await ran("models", "train", "--model", "sentiment", **shop.deployment._variables)
    assert asked.code == 0, asked.err
    await shop.until(lambda: len(shop.announced) > 1, "a version that was asked for")
    second = shop.announced[1]
    assert (second.version, second.promoted) == (2, False), second.verdict
    assert second.verdict.startswith("held: not better than v1")
    state = await shop.told(2)
    assert (state.step, state.new, state.wanted) == (Step.WAITING, 0, RATED)
    async with httpx.AsyncClient() as http:
        metrics = (await http.get(f"http://{LOOPBACK}:{shop.port}/metrics")).text
    assert 'millstream_trainer_info{model="sentiment",tenant="default"} 1.0' in metrics
    assert not any(thing in trainer.log_tail() for thing in (SECRET, "sturdy", "u-1"))
