"""Models and dead letters by HTTP, of the key's tenant alone."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from tests.builders import event
from tests.flow.gateway.test_events import records_of
from tests.flow.swapping import MODEL, SwappingTrainer, own_item
from tests.flow.swapping import TENANT as TRAINED
from tests.gateway import OTHER, TENANT, Gate, caller, gate, key_for

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.errors import Reason, Refused
from millstream.domain.identity import record_key
from millstream.domain.log import LogRecord
from millstream.gateway.api_keys import Scope
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.model.signing import PRIVATE_NAME
from millstream.privacy.key_files import rotate
from millstream.stores.keys import Keys
from millstream.stores.redis import connect
from millstream.stores.training_states import TrainingStates
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS, REVIEWS
from millstream.trainer.progress import Progress
from millstream.trainer.telling import telling

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    tansu: Tansu, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gate]:
    async with gate(tansu, valkey, tmp_path_factory.mktemp("gate")) as opened:
        rotate(opened.settings.pseudonym_keys_dir, TRAINED)
        yield opened


@asynccontextmanager
async def admin_of(shop: Gate, tenant: str, *more: Scope) -> AsyncIterator[httpx.AsyncClient]:
    """With a key that is in force, and may do `more`."""
    token = key_for(shop.settings, tenant, Scope.ADMIN, Scope.LISTS_READ, *more)
    async with caller(shop.door, token) as http:

        async def is_known() -> bool:
            return (await http.get("/v1/models")).status_code == 200

        await shop.until(is_known, "a new key is in force")
        yield http


async def versions(http: httpx.AsyncClient) -> dict[int, bool]:
    told = (await http.get("/v1/models")).json()["versions"]
    return {row["version"]: row["current"] for row in told}


async def test_versions_are_listed_promoted_and_rolled_back(shop: Gate) -> None:
    redis = connect(shop.settings.redis_url)
    async with (
        admin_of(shop, TRAINED) as http,
        producer_for(shop.settings, "test") as producer,
    ):
        trainer = SwappingTrainer(shop.settings, redis, producer)
        for _ in range(3):
            await trainer.swap()
        assert await versions(http) == {1: False, 2: False, 3: True}
        assert await versions(shop.http) == {}, "another tenant's"

        assert (await moved(http, "versions/1/promote")).json()["version"] == 1
        assert await versions(http) == {1: True, 2: False, 3: False}
        await shop.until(lambda: is_answered_by(http, 1), "the gateway serves by version 1")

        assert (await moved(http, "rollback")).json()["version"] == 3
        assert (await moved(http, "rollback")).json()["version"] == 2
        await shop.until(lambda: is_answered_by(http, 2), "the gateway serves by version 2")

        for path, status in (
            ("versions/9/promote", 404),
            ("versions/0/promote", 400),
            ("versions/x/promote", 404),
        ):
            assert (await http.post(f"/v1/models/{MODEL}/{path}")).status_code == status, path
        for name in ("nothing", "..%2F..%2Fetc", "UP"):
            assert (await http.post(f"/v1/models/{name}/rollback")).status_code == 404
        assert (await shop.http.post(f"/v1/models/{MODEL}/rollback")).status_code == 404
        await nothing_unsigned_is_promoted(http, trainer)
    await redis.aclose()


async def test_how_the_next_version_stands_is_told_to_its_own_tenant(shop: Gate) -> None:
    redis = connect(shop.settings.redis_url)
    keys = Keys(shop.settings.redis_prefix)
    states, progress = TrainingStates(redis, keys), Progress()
    name = TRAINED, "a-model"
    async with admin_of(shop, TRAINED) as http:

        async def told(**wanted: object) -> bool:
            rows = (await http.get("/v1/trainings")).json()["trainings"]
            states = [row["state"] for row in rows if row["model"] == name[1]]
            return [{field: one[field] for field in wanted} for one in states] == [wanted]

        async with telling(progress, states, name, wall_clock):
            await shop.until(lambda: told(step="waiting", at_work=True, last=None), "it waits")
            progress.begins(wall_clock(), "asked")
            progress.learns(2)
            assert progress.watch(lambda: True)(0.5), "it is told to stop"
            await shop.until(lambda: told(step="learning", fit=1, fits=2, done=0.25), "it learns")
            assert (await shop.http.get("/v1/trainings")).json() == {"trainings": []}
        assert await told(step="waiting", at_work=False)
        (row,) = (await http.get("/v1/trainings")).json()["trainings"]
        assert 0 <= row["told_s_ago"] < 60
        await redis.hset(keys.trainings(TRAINED), "b-model", b"of another release")
        assert len((await http.get("/v1/trainings")).json()["trainings"]) == 1
    await redis.aclose()


async def moved(http: httpx.AsyncClient, path: str) -> httpx.Response:
    answer = await http.post(f"/v1/models/{MODEL}/{path}")
    assert answer.status_code == 200, answer.text
    return answer


async def is_answered_by(http: httpx.AsyncClient, version: int) -> bool:
    """A session with an item that only this version knows."""
    body = {"items": [own_item(version, 0)]}
    told = (await http.post("/v1/recommendations:session", json=body)).json()
    return bool(told["model_version"] == f"{MODEL}-v{version}") and any(
        item["source"] == "embedding" for item in told["items"]
    )


async def nothing_unsigned_is_promoted(http: httpx.AsyncClient, trainer: SwappingTrainer) -> None:
    place = trainer.registry.directory(TRAINED, MODEL, 3)
    for array in place.glob("*.npy"):
        array.write_bytes(array.read_bytes()[:-1] + b"x")
    answer = await http.post(f"/v1/models/{MODEL}/versions/3/promote")
    assert answer.status_code == 409
    assert (await versions(http))[2], "the one in service stays"
    shutil.rmtree(place)
    assert (await http.post(f"/v1/models/{MODEL}/versions/3/promote")).status_code == 404


async def test_dead_letters_are_found_shown_and_sent_again(shop: Gate) -> None:
    now = wall_clock()
    topic = shop.settings.topic(EVENTS)
    async with producer_for(shop.settings, "test") as producer:
        letters = DeadLetters(producer)
        for number, (tenant, reason) in enumerate(
            [(TENANT, Reason.OVER), (TENANT, Reason.UNDECODABLE), (OTHER, Reason.OVER)]
        ):
            good = msgspec.json.encode(event(f"e{number}", "ann", at_ms=now, tenant=tenant))
            value = good if reason is Reason.OVER else b"\xff{"
            record = LogRecord(topic, 1, number, now, record_key(tenant, "ann"), value)
            await letters.send(record, Refused(reason, "as it was"))
    told = (await shop.http.get("/v1/dead-letters")).json()
    assert told["found"] == 2
    found = {row["reason"]: row for row in told["letters"]}
    assert found.keys() == {"over", "undecodable"}
    one = await shop.http.get("/v1/dead-letters?reason=over&limit=1")
    assert [row["offset"] for row in one.json()["letters"]] == [0]

    whole = (await shop.http.get(f"/v1/dead-letters/{found['over']['letter']}")).json()
    assert msgspec.json.decode(whole["value"])["event_id"] == "e0"
    coded = (await shop.http.get(f"/v1/dead-letters/{found['undecodable']['letter']}")).json()
    assert coded["is_base64"]

    async with admin_of(shop, OTHER) as theirs:
        assert (await theirs.get("/v1/dead-letters")).json()["found"] == 1
        place = found["over"]["letter"]
        assert (await theirs.get(f"/v1/dead-letters/{place}")).status_code == 404
        assert (await replayed(theirs, {"places": [place]})).json()["found"] == 0

    everything = {"reasons": ["over", "undecodable"]}
    dry = (await replayed(shop.http, {**everything, "dry_run": True})).json()
    assert dry == {"found": 2, "fit": 1, "sent": 0, "not_sent": {"undecodable": 1}}
    assert (await replayed(shop.http, everything)).json() == {**dry, "sent": 1}
    for body in ({}, {"places": ["x"]}, {"places": ["0:1"], "from": "file"}):
        assert (await replayed(shop.http, body)).status_code == 400


async def replayed(http: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await http.post("/v1/dead-letters:replay", json=body)


async def test_refused_reviews_are_found_shown_and_sent_again(shop: Gate) -> None:
    topic, now = shop.settings.topic(REVIEWS), wall_clock()
    said = {"review_id": "r1", "item_id": "mug", "user_id": "ann", "tenant": TENANT, "text": "fine"}
    good = msgspec.json.encode({**said, "time": as_datetime(now).isoformat()})
    async with producer_for(shop.settings, "test") as producer:
        for number, value in enumerate([good, b"{"]):
            record = LogRecord(topic, 1, number, now, record_key(TENANT, "ann"), value)
            await DeadLetters(producer).send(record, Refused(Reason.UNDECODABLE, "as it was"))
    told = (await shop.http.get("/v1/dead-letters?of=reviews")).json()
    assert told["found"] == 2
    places = [row["letter"] for row in told["letters"] if row["offset"] == 0]
    whole = (await shop.http.get(f"/v1/dead-letters/{places[0]}?of=reviews")).json()
    assert whole["value"].encode() == good
    everything = {"of": "reviews", "reasons": ["undecodable"]}
    answer = (await replayed(shop.http, everything)).json()
    assert answer == {"found": 2, "fit": 1, "sent": 1, "not_sent": {"undecodable": 1}}
    assert [value for _, value in await records_of(shop, REVIEWS)] == [good]
    late = await replayed(shop.http, {**everything, "accept_late": True})
    assert late.status_code == 400


async def test_without_the_signing_key_no_event_is_replayed(
    tansu: Tansu, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("gate")
    async with gate(tansu, valkey, home, keys_dir=home / "public") as shop:
        answer = await replayed(shop.http, {"places": ["0:1"]})
        assert answer.status_code == 409
        answer = await replayed(shop.http, {"of": "reviews", "places": ["0:1"]})
        assert answer.json()["found"] == 0, "reviews are not signed"
        assert not (shop.settings.keys_dir / PRIVATE_NAME).exists()
