"""The client over HTTP against a gateway with a broker behind it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer
from prometheus_client import REGISTRY
from tests.gateway import TENANT, Gate, gate, key_for

from millstream.client import DeliveryFailed
from millstream.client.http import AsyncHttpClient
from millstream.domain.events import Event
from millstream.domain.pseudonyms import Pseudonyms
from millstream.gateway.api_keys import Scope
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import newest
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import EVENTS

IDLE_MS = 500


def client(shop: Gate, token: str | None = None) -> AsyncHttpClient:
    transport = httpx.ASGITransport(shop.door)
    return AsyncHttpClient("http://gateway", token or shop.token, transport=transport)


async def event_ids(shop: Gate) -> list[str]:
    """Of all events in the topic, as they stand there."""
    servers = shop.settings.kafka_bootstrap_servers
    found: list[str] = []
    async with AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(await partitions_of(servers, shop.settings.topic(EVENTS)))
        while batches := await consumer.getmany(timeout_ms=IDLE_MS):
            records = [one for part in batches.values() for one in part]
            found += [msgspec.json.decode(one.value, type=Event).event_id for one in records]
    return found


def refusals() -> float:
    asked = {"route": "/v1/events", "status": "503"}
    return REGISTRY.get_sample_value("millstream_gateway_requests_total", asked) or 0.0


def hidden(shop: Gate, name: str) -> str:
    """What becomes of an event's id at the door."""
    pseudonyms: Pseudonyms = newest(TENANT, shop.settings.pseudonym_keys_dir)
    said = Event(event_id=name, type="search", time="2026-01-01T00:00:00Z", user_id="u")  # type: ignore[arg-type]
    return pseudonyms.event(said).event_id


async def test_what_is_acknowledged_is_on_the_topic_and_what_is_refused_is_told(
    tansu: Tansu, valkey: Valkey, tmp_path: Path
) -> None:
    async with gate(tansu, valkey, tmp_path) as shop:
        names = [f"e{n}" for n in range(700)]
        async with client(shop) as front:
            for name in names:
                front.track_nowait(
                    "view_item", user_id=f"u{len(name)}", items=["i1"], event_id=name
                )
            front.track_nowait("erase", user_id="ann", event_id="forget")
            with pytest.raises(DeliveryFailed, match=r"1 events.*/v1/erasures") as told:
                await front.flush()
            assert [event.event_id for event in told.value.events] == ["forget"]
            found = await front.recommendations("u3", n=3)
        assert sorted(await event_ids(shop)) == sorted(hidden(shop, name) for name in names)
        assert found is not None
        assert (found.user, found.stale) == ("u3", False)

        reading = key_for(shop.settings, TENANT, Scope.LISTS_READ)

        async def is_known() -> bool:
            try:
                async with client(shop, reading):
                    return True
            except PermissionError:
                return False

        await shop.until(is_known, "a new key is in force")
        async with client(shop, reading) as front:
            with pytest.raises(DeliveryFailed, match=f"403.*{Scope.EVENTS_WRITE}"):
                await front.track("view_item", user_id="ann", items=["i1"])


async def test_a_broker_that_is_away_costs_time_and_no_event(
    valkey: Valkey, tmp_path: Path
) -> None:
    with Tansu() as broker:
        async with (
            gate(broker, valkey, tmp_path, gateway_ack_seconds=0.2) as shop,
            client(shop) as front,
        ):
            await front.track("view_item", user_id="ann", items=["i1"], event_id="before")
            before = refusals()
            os.kill(broker.pid, signal.SIGSTOP)
            try:
                for n in range(20):
                    front.track_nowait(
                        "view_item", user_id="ann", items=["i1"], event_id=f"away-{n}"
                    )
                flushing = asyncio.create_task(front.flush())

                async def was_refused() -> bool:
                    return refusals() > before

                await shop.until(was_refused, "the gateway says 503")
                assert not flushing.done()
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            await flushing
            wanted = {hidden(shop, name) for name in ("before", *(f"away-{n}" for n in range(20)))}
            assert set(await event_ids(shop)) == wanted
