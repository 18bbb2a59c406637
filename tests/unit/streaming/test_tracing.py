"""From the storefront's traceparent to the record that comes of its event."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from millstream.streaming.tracing import TRACEPARENT, continued, switch_off, switch_on

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01".encode()
BEGAN_MS = 1_770_000_000_000


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    switch_on("recommender", "1.2.3", exporter)
    yield exporter
    switch_off()


def test_off_the_header_goes_on_as_it_came() -> None:
    headers = (("other", b"x"), (TRACEPARENT, GIVEN))
    assert continued("recommend", headers, BEGAN_MS) == ((TRACEPARENT, GIVEN),)
    assert continued("recommend", (), BEGAN_MS) == ()


@pytest.mark.parametrize(
    "strange",
    [
        None,
        b"",
        b"00-x",
        GIVEN + b"\r\n",
        GIVEN * 1000,
        b"00-" + b"0" * 32 + b"-" + SPAN.encode() + b"-01",
        b"00-" + TRACE.encode() + b"-" + b"0" * 16 + b"-01",
    ],
)
def test_what_is_no_traceparent_goes_nowhere(
    strange: bytes | None, spans: InMemorySpanExporter
) -> None:
    assert continued("recommend", ((TRACEPARENT, strange),), BEGAN_MS) == ()
    assert not spans.get_finished_spans()


def test_on_a_span_continues_the_trace_and_the_next_record_bears_it(
    spans: InMemorySpanExporter,
) -> None:
    ((name, header),) = continued("recommend", ((TRACEPARENT, GIVEN),), BEGAN_MS, offset=7)
    [span] = spans.get_finished_spans()
    assert (span.name, span.start_time) == ("recommend", BEGAN_MS * 1_000_000)
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == SPAN
    assert name == TRACEPARENT
    assert header == f"00-{TRACE}-{span.context.span_id:016x}-01".encode()
    assert dict(span.attributes or {}) == {"millstream.offset": 7}
    assert span.resource.attributes["service.name"] == "millstream-recommender"


def test_a_second_hop_is_a_child_of_the_first(spans: InMemorySpanExporter) -> None:
    first = continued("take events", ((TRACEPARENT, GIVEN),), BEGAN_MS)
    continued("recommend", first, BEGAN_MS)
    taken, recommended = spans.get_finished_spans()
    assert recommended.parent is not None
    assert recommended.parent.span_id == taken.context.span_id
    assert recommended.context.trace_id == taken.context.trace_id == int(TRACE, 16)
