"""`millstream models` for review models: trained on a folder, told of, moved, and nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from redis.asyncio import Redis
from tests.commands import Done, ran
from tests.training.sentiment.made_reviews import made_reviews, write_reviews

from millstream.domain.models import ModelAnnouncement
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.registry import Registry
from millstream.model.sentiment.review import ReviewText
from millstream.model.signed_files import Identity
from millstream.model.signing import create_keys, load_public_key
from millstream.stores.keys import Keys
from millstream.stores.model_pointer import RedisModelPointer
from millstream.streaming.followers import follow
from millstream.streaming.topics import MODELS

SENTIMENT = ("--model", "sentiment")


class Shop:
    """`millstream models ...` against one broker, Redis and store."""

    def __init__(self, folder: Path, broker: str, redis: Redis, prefix: str, url: str) -> None:
        self.store, self.keys_dir = folder / "models", folder / "keys"
        self.topic = f"{prefix}{MODELS}"
        self.pointer = RedisModelPointer(redis, Keys(prefix))
        self.announced: list[ModelAnnouncement] = []
        self.broker = broker
        self._variables = {
            "KAFKA_BOOTSTRAP_SERVERS": broker,
            "REDIS_URL": url,
            "MODEL_STORE": str(self.store),
            "MILLSTREAM_KAFKA_IDEMPOTENCE": "0",
            "MILLSTREAM_KEYS_DIR": str(self.keys_dir),
            "MILLSTREAM_TOPIC_PREFIX": prefix,
            "MILLSTREAM_REDIS_PREFIX": prefix,
        }

    async def models(self, *words: str) -> Done:
        return await ran("models", *words, **self._variables)

    async def current(self) -> tuple[int, str] | None:
        return await self.pointer.read("default", "sentiment")

    async def heard(self, count: int) -> list[ModelAnnouncement]:
        async with asyncio.timeout(10):
            while len(self.announced) < count:  # noqa: ASYNC110  told in a follower of its own
                await asyncio.sleep(0.01)
        return self.announced


@pytest.fixture
async def shop(tmp_path: Path, tansu: Tansu, valkey: Valkey, prefix: str) -> AsyncIterator[Shop]:
    broker, redis = tansu.bootstrap_servers, Redis.from_url(valkey.url)
    shop = Shop(tmp_path, broker, redis, prefix, valkey.url)
    create_keys(shop.keys_dir)
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    await admin.create_topics([NewTopic(shop.topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    follower = follow(
        broker,
        shop.topic,
        lambda record: shop.announced.append(
            msgspec.json.decode(record.value or b"", type=ModelAnnouncement)
        ),
    )
    await follower.start()
    yield shop
    await follower.close()
    await redis.aclose()


async def test_a_review_models_life(tmp_path: Path, shop: Shop) -> None:
    data = str(write_reviews(tmp_path, made_reviews(1200, 0)))
    done = await shop.models("train-reviews", "--data", data, "--json")
    assert done.code == 0, done.err
    told: dict[str, Any] = msgspec.json.decode(done.out)
    assert (told["model"], told["version"], told["kind"]) == ("default/sentiment", 1, "linear")
    assert told["decision"] == "promoted"
    assert told["metrics"]["accuracy"] > 0.95
    assert told["reviews"]["good"] == told["reviews"]["bad"] == 600
    first = (await shop.heard(1))[0]
    assert (first.model, first.promoted) == ("sentiment", True)
    assert await shop.current() == (1, first.manifest_sha256)

    wanted = Identity("default", "sentiment", 1, first.manifest_sha256)
    loaded = Registry(shop.store).load_reviews(load_public_key(shop.keys_dir), wanted)
    asked = [ReviewText("", "this lamp is awful"), ReviewText("", "this lamp is great")]
    bad, good = loaded.sentiment.probabilities(asked).tolist()
    assert bad < 0.5 < good

    done = await shop.models("train-reviews", "--data", data)
    assert done.code == 0, done.err
    assert "v2 of default/sentiment: held: not better than v1" in done.out
    assert (await shop.heard(2))[1].promoted is False
    assert await shop.current() == (1, first.manifest_sha256)

    listed = msgspec.json.decode((await shop.models("list", "--json")).out)["models"]
    assert [(row["model"], row["version"], row["current"]) for row in listed] == [
        ("sentiment", 1, True),
        ("sentiment", 2, False),
    ]
    shown = await shop.models("show", "1", *SENTIMENT, "--json")
    assert msgspec.json.decode(shown.out)["kind"] == "linear"
    assert "millstream models card 1 --model sentiment" in shown.err
    card = msgspec.json.decode((await shop.models("card", "1", *SENTIMENT, "--json")).out)
    assert card["quality"] == msgspec.json.decode(shown.out)["quality"]
    assert card["groups"][0]["accuracy"]["value"] == told["metrics"]["accuracy"]
    path = tmp_path / "card.html"
    done = await shop.models("card", "1", *SENTIMENT, "--out", str(path))
    assert done.code == 0, done.err
    assert "Model card: default/sentiment v1" in path.read_text()

    held = await shop.models("promote", "2", *SENTIMENT)
    assert (held.code, "one that was not promoted" in held.err) == (2, True)
    assert (await shop.models("promote", "2", *SENTIMENT, "--force")).code == 0
    assert ((await shop.current()) or (0,))[0] == 2
    assert (await shop.models("rollback", *SENTIMENT)).code == 0
    assert await shop.current() == (1, first.manifest_sha256)
    moved = (await shop.heard(4))[2:]
    assert [(one.model, one.version) for one in moved] == [("sentiment", 2), ("sentiment", 1)]

    done = await shop.models("diff", "1", "2", *SENTIMENT)
    assert (done.code, "expected a version of embeddings" in done.err) == (2, True), done.err
    spoilt = shop.store / "default" / "sentiment" / "v000002" / "terms.npy"
    spoilt.write_bytes(spoilt.read_bytes()[:-1])
    done = await shop.models("promote", "2", *SENTIMENT, "--force")
    assert (done.code, "terms.npy is not what was signed" in done.err) == (2, True)


async def test_what_an_operator_got_wrong_is_said_before_anything_is_trained(
    tmp_path: Path, shop: Shop
) -> None:
    done = await shop.models("train-reviews", "--data", str(tmp_path / "nowhere"))
    assert (done.code, "blitzer.jsonl.gz" in done.err) == (2, True)
    few = tmp_path / "few"
    few.mkdir()
    write_reviews(few, made_reviews(20, 0))
    done = await shop.models("train-reviews", "--data", str(few))
    assert (done.code, "got 10 good and 10 bad ones" in done.err) == (2, True), done.err
    done = await shop.models("train-reviews", "--data", str(few), "--tenant", "../elsewhere")
    assert (done.code, "option --tenant" in done.err) == (2, True), done.err
    assert not shop.store.exists()
