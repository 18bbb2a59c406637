"""Traces: from the storefront's `traceparent` to the list that answers its event.

Off, which is the default, the header is passed on as it came. On, a span stands for what we did
with the event, and the list bears that span's. Spans go to a collector by OTLP, whose address is
that of OpenTelemetry's own variable OTEL_EXPORTER_OTLP_ENDPOINT; they hold places in the log and no
ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from millstream.domain.errors import OperatorError
from millstream.domain.log import Headers

if TYPE_CHECKING:  # an extra
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

TRACEPARENT = "traceparent"
_W3C = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NS_IN_MS = 1_000_000

_tracer: Tracer | None = None


def switch_on(service: str, version: str, exporter: SpanExporter | None = None) -> None:
    """For this process; `exporter`: other than OTLP over HTTP, and at once. Raises OperatorError
    where OpenTelemetry is not installed."""
    global _tracer  # noqa: PLW0603  one per process, as metrics are
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
    except ImportError:
        raise OperatorError(
            "setting MILLSTREAM_TRACING",
            "true, without OpenTelemetry",
            "an installation with the extra `tracing`",
        ) from None
    told = Resource.create({"service.name": f"millstream-{service}", "service.version": version})
    provider = TracerProvider(resource=told)
    provider.add_span_processor(
        BatchSpanProcessor(OTLPSpanExporter())
        if exporter is None
        else SimpleSpanProcessor(exporter)
    )
    _tracer = provider.get_tracer("millstream")


def switch_off() -> None:
    global _tracer  # noqa: PLW0603
    _tracer = None


def continued(
    name: str, headers: Headers, began_ms: int, **facts: str | int
) -> tuple[tuple[str, bytes], ...]:
    """The header for the record that comes of one with these `headers`, none where it had none. On,
    a span from `began_ms`, wall clock, until now is told, with the facts as attributes."""
    given = _given(headers)
    if given is None:
        return ()
    if _tracer is None:
        return ((TRACEPARENT, given),)
    return ((TRACEPARENT, _span(_tracer, name, given, began_ms, facts)),)


def _given(headers: Headers) -> bytes | None:
    """The first that is one: a stranger may have put anything there."""
    for name, content in headers:
        if name == TRACEPARENT and content is not None and _W3C.fullmatch(content):
            return content
    return None


def _span(
    tracer: Tracer, name: str, given: bytes, began_ms: int, facts: dict[str, str | int]
) -> bytes:
    from opentelemetry.trace import SpanKind, set_span_in_context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    w3c = TraceContextTextMapPropagator()
    span = tracer.start_span(
        name,
        context=w3c.extract({TRACEPARENT: given.decode()}),
        kind=SpanKind.CONSUMER,
        attributes={f"millstream.{fact}": value for fact, value in facts.items()},
        start_time=began_ms * _NS_IN_MS,
    )
    span.end()
    carrier: dict[str, str] = {}
    w3c.inject(carrier, set_span_in_context(span))
    return carrier[TRACEPARENT].encode()
