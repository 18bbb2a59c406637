"""Whether the gateway lives, whether it is ready, and what it counts. Needs no key, tells no ids:
not to be shown to the world all the same."""

from __future__ import annotations

from litestar import MediaType, Response, get
from litestar.openapi.datastructures import ResponseSpec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from millstream.gateway.readiness import State
from millstream.gateway.routes.given import GivenParts


class Alive(Struct, frozen=True):
    alive: bool = True


@get(
    "/healthz",
    summary="Whether the process answers",
    operation_id="getHealth",
    tags=["operations"],
    raises=[],
)
async def health() -> Alive:
    return Alive()


@get(
    "/readyz",
    summary="Whether it can be of use",
    operation_id="getReadiness",
    tags=["operations"],
    responses={503: ResponseSpec(State, generate_examples=False, description="Neither answers")},
    raises=[],
)
async def readiness(parts: GivenParts) -> Response[State]:
    state = parts.readiness.state
    return Response(state, status_code=200 if state.ready else 503)


@get(
    "/metrics",
    summary="Prometheus metrics",
    operation_id="getMetrics",
    tags=["operations"],
    media_type=MediaType.TEXT,
    raises=[],
)
async def metrics() -> Response[bytes]:
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})
