"""Events in by HTTP: judged one by one, acknowledged once Kafka has them, never lost after that."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from tests.gateway import TENANT, Gate, caller, gate, key_for

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.events import Event
from millstream.domain.identity import record_key
from millstream.gateway.api_keys import Scope
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import newest
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import CATALOG, EVENTS

IDLE_MS = 500


def said(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "type": "view_item",
        "time": as_datetime(wall_clock()).isoformat(),
        "user_id": "ann",
        "items": [{"item_id": "i1"}],
        **fields,
    }


async def records_of(shop: Gate, topic: str) -> list[tuple[bytes, bytes | None]]:
    """Key and value of all there is, in the order of the partitions."""
    servers = shop.settings.kafka_bootstrap_servers
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
    )
    found = []
    async with consumer:
        consumer.assign(await partitions_of(servers, shop.settings.topic(topic)))
        while batches := await consumer.getmany(timeout_ms=IDLE_MS):
            found += [(one.key, one.value) for part in batches.values() for one in part]
    return found


async def events_in(shop: Gate) -> list[Event]:
    return [
        msgspec.json.decode(value or b"", type=Event) for _, value in await records_of(shop, EVENTS)
    ]


@pytest.fixture
def opened(tansu: Tansu, valkey: Valkey, tmp_path: Path) -> Callable[..., Any]:
    return lambda **changes: gate(tansu, valkey, tmp_path, **changes)


async def test_an_event_is_on_the_topic_once_it_is_acknowledged(opened: Any) -> None:
    async with opened() as shop:
        sent = said(session_id="s1", query="of ann")
        answer = await shop.http.post("/v1/events", json=sent)
        assert (answer.status_code, answer.json()) == (
            202,
            {"accepted": 1, "refused": 0, "verdicts": [{"status": "accepted"}]},
        )
        [(key, value)] = await records_of(shop, EVENTS)
        event = msgspec.json.decode(value or b"", type=Event)
        pseudonyms = newest(TENANT, shop.settings.pseudonym_keys_dir)
        meant = msgspec.convert({**sent, "tenant": TENANT}, Event)
        assert event == pseudonyms.event(meant)
        assert event.query == "of *"
        assert key == record_key(TENANT, pseudonyms.shopper("ann"))


async def test_each_event_of_a_batch_has_its_verdict(opened: Any) -> None:
    old = as_datetime(wall_clock() - 25 * 3600 * 1000).isoformat()
    spoilt: dict[int, tuple[dict[str, Any], str]] = {
        3: ({"type": "levitate"}, "unknown_event_type"),
        70: ({"user_id": None}, "missing_field"),
        71: ({"user_id": "a{b}"}, "bad_id"),
        144: ({"tenant": "other-shop"}, "bad_id"),
        200: ({"items": []}, "bad_items"),
        301: ({"time": old}, "late"),
        302: ({"time": "2099-01-01T00:00:00Z"}, "future_time"),
        303: ({"type": "erase", "items": []}, "unknown_event_type"),
        499: ({"context": {"blob": "x" * 300}}, "out_of_range"),
    }
    batch = [said(user_id=f"u{n}", event_id=f"e{n}") for n in range(500)]
    for place, (change, _) in spoilt.items():
        batch[place] = {**batch[place], **change}
    async with opened() as shop:
        answer = await shop.http.post("/v1/events", json={"events": batch})
        assert answer.status_code == 202
        told = answer.json()
        assert (told["accepted"], told["refused"]) == (491, 9)
        refused = {n: v["reason"] for n, v in enumerate(told["verdicts"]) if "reason" in v}
        assert refused == {place: reason for place, (_, reason) in spoilt.items()}
        assert len(await events_in(shop)) == 491


async def test_what_is_no_batch_is_refused_whole(opened: Any) -> None:
    async with opened(gateway_max_body_bytes=200_000) as shop:
        bodies: dict[int, Sequence[bytes]] = {
            400: (
                b"",
                b"{",
                b"[]",
                b'{"events": []}',
                b'{"events": 7}',
                b"[" * 50_000,
                b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
                msgspec.json.encode({"events": [said()] * 501}),
            ),
            413: (b" " * 200_001,),
        }
        for status, many in bodies.items():
            for body in many:
                answer = await shop.http.post("/v1/events", content=body)
                assert answer.status_code == status, (body[:40], answer.text)
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.json()["status"] == status
        assert await records_of(shop, EVENTS) == []


async def test_a_key_speaks_for_its_tenant_and_scope_alone(opened: Any) -> None:
    async with opened() as shop:
        reading = key_for(shop.settings, "shop", Scope.LISTS_READ)
        writing = key_for(shop.settings, "other-shop", Scope.EVENTS_WRITE)

        async def answered(token: str | None) -> int:
            async with caller(shop.door, token) as http:
                return (await http.post("/v1/events", json=said())).status_code

        async def is_known() -> bool:
            return await answered(writing) == 202

        await shop.until(is_known, "a new key is in force")
        assert await answered(reading) == 403
        assert await answered(None) == 401
        assert await answered(writing + "x") == 401
        assert {event.tenant for event in await events_in(shop)} == {"other-shop"}


@asynccontextmanager
async def frozen(tansu: Tansu) -> AsyncIterator[None]:
    """The broker answers nothing, and loses nothing."""
    os.kill(tansu.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(tansu.pid, signal.SIGCONT)


async def test_while_the_broker_is_away_nothing_is_acknowledged_and_then_nothing_is_lost(
    valkey: Valkey, tmp_path: Path
) -> None:
    with Tansu() as broker:
        async with gate(broker, valkey, tmp_path, gateway_ack_seconds=0.5) as shop:
            acknowledged: set[str] = set()
            unsure: set[str] = set()

            async def send(event_id: str) -> httpx.Response:
                answer = await shop.http.post("/v1/events", json=said(event_id=event_id))
                (acknowledged if answer.status_code == 202 else unsure).add(event_id)
                return answer

            assert (await send("before")).status_code == 202
            async with frozen(broker):
                away = await asyncio.gather(*(send(f"away-{n}") for n in range(20)))
                assert {answer.status_code for answer in away} == {503}
                assert all(int(answer.headers["retry-after"]) > 0 for answer in away)
                assert not await kafka_is_ready(shop, wanted=False)
            await kafka_is_ready(shop, wanted=True)
            for event_id in sorted(unsure):  # as the answer said: the same again
                answer = await send(event_id)
                assert answer.status_code == 202, answer.text
            pseudonyms = newest(TENANT, shop.settings.pseudonym_keys_dir)
            sent = {name: msgspec.convert(said(event_id=name), Event) for name in acknowledged}
            ids = {pseudonyms.event(event).event_id for event in sent.values()}
            assert {event.event_id for event in await events_in(shop)} == ids


async def kafka_is_ready(shop: Gate, *, wanted: bool) -> bool:
    async def as_wanted() -> bool:
        return (await shop.http.get("/readyz")).json()["kafka"] is wanted

    await shop.until(as_wanted, f"readiness says that Kafka is {wanted}")
    return wanted


async def test_the_catalogue_is_written_item_by_item(opened: Any) -> None:
    async with opened() as shop:
        item = {"item_id": "i1", "added_at": "2026-01-01T00:00:00Z", "category": "mugs"}
        items = [item, {**item, "item_id": "{i}"}, {"item_id": "i2"}, {**item, "tenant": "default"}]
        answer = await shop.http.put("/v1/items", json={"items": items})
        assert answer.status_code == 202
        verdicts = answer.json()["verdicts"]
        assert [v.get("reason") for v in verdicts] == [None, "bad_id", "missing_field", None]
        assert (await shop.http.delete("/v1/items/i%2F1")).status_code == 202
        keys = [(key, value is None) for key, value in await records_of(shop, CATALOG)]
        assert sorted(keys) == [
            (b"shop:i/1", True),
            (b"shop:i1", False),
            (b"shop:i1", False),
        ]


async def test_what_is_nested_too_deep_is_refused_by_every_route_that_takes_json(
    opened: Any,
) -> None:
    deep = b'{"items":' * 20_000 + b"1" + b"}" * 20_000
    judged_apart = {"/v1/events", "/v1/reviews", "/v1/items"}
    async with opened() as shop:
        taken = [
            (method.upper(), path)
            for path, methods in (await shop.http.get("/v1/openapi.json")).json()["paths"].items()
            for method, told in methods.items()
            if "requestBody" in told
        ]
        assert judged_apart < {path for _, path in taken}
        for method, path in taken:
            answer = await shop.http.request(
                method, path, content=deep, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 400, (method, path, answer.text)
            if path not in judged_apart:
                assert answer.json()["detail"] == "nested too deep", (method, path)
