"""From a storefront's page, in node, through a gateway to the topic."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
from aiokafka import AIOKafkaConsumer
from tests.gateway import PATIENCE_S, TENANT, Process, key_for, process
from tests.needed import not_here

from millstream.domain.errors import OperatorError
from millstream.domain.events import Event
from millstream.gateway.api_keys import Scope
from millstream.local.browsers import node
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import EVENTS

PAGE = Path(__file__).parent / "page.mjs"
IDLE_MS = 500


async def events_in(servers: str, topic: str) -> list[Event]:
    found: list[Event] = []
    async with AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
    ) as consumer:
        consumer.assign(await partitions_of(servers, topic))
        while batches := await consumer.getmany(timeout_ms=IDLE_MS):
            records = [one for part in batches.values() for one in part]
            found += [msgspec.json.decode(one.value, type=Event) for one in records]
    return found


def wait_until_in_force(gateway: Process, key: str) -> None:
    """A gateway takes a new key within a second or two."""
    deadline = time.monotonic() + PATIENCE_S
    bearer = {"authorization": f"Bearer {key}"}
    while httpx.get(f"{gateway.url}/v1/key", headers=bearer).status_code == 401:
        assert time.monotonic() < deadline, "the key is not in force"
        time.sleep(0.05)


def visit(program: str, url: str, key: str) -> dict[str, Any]:
    ran = subprocess.run(
        [program, str(PAGE), url, key], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def test_what_a_page_tells_is_on_the_topic(tansu: Tansu, valkey: Valkey, tmp_path: Path) -> None:
    try:
        program = node()
    except OperatorError as missing:
        not_here(str(missing))
    with process(tansu, valkey, tmp_path, gateway_pseudonyms=False) as gateway:
        settings = gateway.settings
        key = key_for(settings, TENANT, Scope.EVENTS_WRITE)
        wait_until_in_force(gateway, key)
        told = visit(program, gateway.url, key)
        assert told["statuses"] == [202]
        [trouble] = told["troubles"]
        assert (trouble["kind"], trouble["count"]) == ("refused", 1)
        assert trouble["reason"].startswith("bad_items: ")
        events = asyncio.run(events_in(settings.kafka_bootstrap_servers, settings.topic(EVENTS)))
        assert {event.event_id: (event.type, event.shopper) for event in events} == {
            "by-fetch": ("view_item", "~cookie-1"),
            "by-beacon": ("add_to_cart", "ann"),
        }
        [both] = [event for event in events if event.event_id == "by-beacon"]
        assert (both.user_id, both.anonymous_id) == ("ann", "cookie-1")
