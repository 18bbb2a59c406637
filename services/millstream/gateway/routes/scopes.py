"""Which scope a route asks for, and what it may answer beside its own."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import Guard

from millstream.gateway.api_keys import Scope
from millstream.gateway.callers import caller_in
from millstream.gateway.problems import MEDIA_TYPE, Problem, Refusal

_SAYS = {
    400: "What is asked for is not well-formed",
    401: "No API key in force",
    403: "The API key does not have the scope",
    404: "There is no such thing, or it is another tenant's",
    405: "The path knows other methods",
    408: "The body did not come in time",
    409: "It can't be done as things stand",
    413: "The body is too long",
    429: "More than the key may ask for in a second; see Retry-After",
    500: "A fault of the gateway's own",
    503: "Kafka, Redis or time is missing; see Retry-After",
}
ALWAYS = (400, 401, 403, 408, 413, 429, 500, 503)


def answers(*more: int) -> dict[int, ResponseSpec]:
    """The problems that a route may answer: those of the door, and `more`."""
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, description=_SAYS[status], media_type=MEDIA_TYPE
        )
        for status in sorted({*ALWAYS, *more})
    }


def needs(scope: Scope) -> Guard:
    def check(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
        if scope not in caller_in(connection.scope).scopes:
            raise Refusal(HTTPStatus.FORBIDDEN, f"this needs a key with scope {scope}")

    return check
