"""While Kafka is away an operator's requests are refused whole, with the time to come again; the
same again is then taken, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
from tests.builders import event
from tests.flow.gateway.test_admin import admin_of, versions
from tests.flow.gateway.test_events import frozen, kafka_is_ready
from tests.flow.gateway.test_experiments import TERMS
from tests.flow.gateway.test_page import item
from tests.flow.swapping import MODEL, SwappingTrainer
from tests.flow.swapping import TENANT as TRAINED
from tests.gateway import Gate, gate

from millstream.domain.clock import wall_clock
from millstream.domain.errors import Reason, Refused
from millstream.domain.identity import record_key
from millstream.domain.log import LogRecord
from millstream.gateway.api_keys import Scope
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import rotate
from millstream.stores.redis import connect
from millstream.streaming.dead_letters import DeadLetters
from millstream.streaming.producer import producer_for
from millstream.streaming.topics import EVENTS

REQUESTS: dict[str, tuple[str, str, Any]] = {
    "catalogue": ("PUT", "/v1/items", {"items": [item("tea")]}),
    "item taken out": ("DELETE", "/v1/items/pot", None),
    "rule": ("PUT", "/v1/rules/no-tea", {"kind": "hide", "item_id": "tea"}),
    "experiment": ("PUT", "/v1/experiments/first", TERMS),
    "rollback": ("POST", f"/v1/models/{MODEL}/rollback", None),
    "promote": ("POST", f"/v1/models/{MODEL}/versions/1/promote", None),
    "replay of dead letters": ("POST", "/v1/dead-letters:replay", {"reasons": ["over"]}),
    "erasure": ("POST", "/v1/erasures", {"user": "ann"}),
}
BRIEF = {"gateway_ack_seconds": 0.5, "gateway_admin_seconds": 8.0, "gateway_lake": False}


async def asked(http: httpx.AsyncClient, name: str) -> httpx.Response:
    method, path, body = REQUESTS[name]
    return await http.request(method, path, json=body)


async def taken(shop: Gate, http: httpx.AsyncClient, name: str) -> httpx.Response:
    """Sent again for as long as the answer says so, as a busy machine's broker may be late."""
    answers: list[httpx.Response] = []

    async def not_refused() -> bool:
        answers.append(await asked(http, name))
        return answers[-1].status_code != 503

    await shop.until(not_refused, name)
    return answers[-1]


async def test_nothing_is_done_while_the_broker_is_away_and_the_same_again_is_done_once(
    valkey: Valkey, tmp_path: Path
) -> None:
    with Tansu() as broker:
        async with gate(broker, valkey, tmp_path, **BRIEF) as shop:
            rotate(shop.settings.pseudonym_keys_dir, TRAINED)
            await three_versions_and_a_letter(shop)
            async with admin_of(shop, TRAINED, Scope.EVENTS_WRITE) as http:
                async with frozen(broker):
                    away = await asyncio.gather(*(asked(http, name) for name in REQUESTS))
                    for name, answer in zip(REQUESTS, away, strict=True):
                        assert answer.status_code == 503, (name, answer.text)
                        assert int(answer.headers["retry-after"]) > 0, name
                await kafka_is_ready(shop, wanted=True)
                assert await versions(http) == {1: False, 2: False, 3: True}, "none has moved"
                again = {name: await taken(shop, http, name) for name in REQUESTS}
                for name, answer in again.items():
                    assert answer.status_code in {200, 202}, (name, answer.text)
                assert again["rollback"].json()["version"] == 2, "one back, and not two"
                assert await versions(http) == {1: True, 2: False, 3: False}
                assert again["replay of dead letters"].json()["sent"] == 1


async def three_versions_and_a_letter(shop: Gate) -> None:
    redis, now = connect(shop.settings.redis_url), wall_clock()
    async with producer_for(shop.settings, "test") as producer:
        trainer = SwappingTrainer(shop.settings, redis, producer)
        for _ in range(3):
            await trainer.swap()
        value = msgspec.json.encode(event("e1", "ann", at_ms=now, tenant=TRAINED))
        topic = shop.settings.topic(EVENTS)
        record = LogRecord(topic, 1, 0, now, record_key(TRAINED, "ann"), value)
        await DeadLetters(producer).send(record, Refused(Reason.OVER, "as it was"))
    await redis.aclose()
