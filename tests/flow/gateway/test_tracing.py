"""One trace from the storefront's request to the list that answers it, told to a collector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from aiokafka import AIOKafkaConsumer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.gateway import PATIENCE_S, TENANT, Gate, gate

from millstream.domain.clock import as_datetime, wall_clock
from millstream.domain.identity import record_key
from millstream.local.ports import LOOPBACK
from millstream.local.tansu import Tansu
from millstream.local.valkey import Valkey
from millstream.privacy.key_files import newest
from millstream.streaming.topic_admin import partitions_of
from millstream.streaming.topics import RECOMMENDATIONS
from millstream.streaming.tracing import TRACEPARENT, switch_off, switch_on

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
VIEW = {"event_id": "e1", "type": "view_item", "user_id": "ann", "items": [{"item_id": "mug"}]}


@pytest.fixture
def taken() -> Iterator[InMemorySpanExporter]:
    """The gateway's spans, which runs in this process."""
    exporter = InMemorySpanExporter()
    switch_on("gateway", "1.2.3", exporter)
    yield exporter
    switch_off()


@contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """Its address, and the bodies that were sent to /v1/traces."""
    bodies: list[bytes] = []

    class Collects(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), Collects) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join()


async def header_of_the_list(shop: Gate) -> str:
    topic = shop.settings.topic(RECOMMENDATIONS)
    servers = shop.settings.kafka_bootstrap_servers
    shopper = newest(TENANT, shop.settings.pseudonym_keys_dir).shopper("ann")
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, group_id=None, auto_offset_reset="earliest"
    )
    async with asyncio.timeout(PATIENCE_S), consumer:
        consumer.assign(await partitions_of(servers, topic))
        async for record in consumer:
            if record.key == record_key(TENANT, shopper) and record.value is not None:
                return str(dict(record.headers)[TRACEPARENT].decode())
    raise AssertionError


async def test_a_trace_goes_from_the_request_s_header_to_the_list_s(
    tansu: Tansu,
    valkey: Valkey,
    tmp_path: Path,
    taken: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with collector() as (address, bodies):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
        async with gate(tansu, valkey, tmp_path) as shop:
            await shop.deployment.start("recommender", tracing=True)
            await shop.deployment.recommender_ready()
            said = {**VIEW, "time": as_datetime(wall_clock()).isoformat()}
            answer = await shop.http.post("/v1/events", json=said, headers={TRACEPARENT: GIVEN})
            assert answer.json()["accepted"] == 1
            told = await header_of_the_list(shop)

            async def collected() -> bool:
                return bool(bodies)

            await shop.until(collected, "a span at the collector")
    [first] = taken.get_finished_spans()
    [of_service] = ExportTraceServiceRequest.FromString(bodies[0]).resource_spans
    [second] = of_service.scope_spans[0].spans
    assert (first.name, second.name) == ("take events", "recommend")
    assert first.parent is not None
    assert f"{first.parent.span_id:016x}" == SPAN
    assert second.parent_span_id == first.context.span_id.to_bytes(8, "big")
    assert second.trace_id.hex() == TRACE
    assert told == f"00-{TRACE}-{second.span_id.hex()}-01"
