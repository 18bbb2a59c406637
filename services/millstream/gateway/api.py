"""The routes as one Litestar application, and how trouble in them is told."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from litestar import Litestar, Request, Response, get
from litestar.di import Provide
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.types import ControllerRouterHandler

from millstream.domain.errors import OperatorError
from millstream.gateway.callers import Caller, caller_in
from millstream.gateway.openapi import encoded
from millstream.gateway.parts import Parts
from millstream.gateway.problems import MEDIA_TYPE, Refusal, away
from millstream.gateway.routes import (
    dead_letters,
    events,
    experiments,
    items,
    kpis,
    live,
    models,
    operations,
    privacy,
    questions,
    recommendations,
    reviews,
    rules,
    search,
    shop,
)
from millstream.stores.redis import TROUBLE

log = structlog.get_logger("millstream.gateway")

DESCRIPTION = (
    "Shop events in, each shopper's recommendations out. Ids are put under pseudonyms here: what is"
    " said and answered holds the shop's own ids, what Millstream keeps does not."
)

HANDLERS: tuple[ControllerRouterHandler, ...] = (
    events.send_events,
    reviews.send_reviews,
    recommendations.recommendations,
    recommendations.session,
    items.similar,
    shop.preview,
    shop.list_items,
    shop.items_named,
    search.search_items,
    questions.answer_question,
    shop.item_card,
    items.put_items,
    items.delete_item,
    models.list_models,
    models.list_trainings,
    models.promote,
    models.roll_back,
    rules.list_rules,
    rules.put_rule,
    rules.delete_rule,
    rules.list_changes,
    rules.undo,
    experiments.list_experiments,
    experiments.show_experiment,
    experiments.begin_experiment,
    experiments.end_experiment,
    kpis.kpis,
    dead_letters.list_letters,
    dead_letters.show_letter,
    dead_letters.replay_letters,
    privacy.erase,
    privacy.person,
    live.live,
    live.own_key,
    operations.health,
    operations.readiness,
    operations.metrics,
)


def make_api(parts: Callable[[], Parts]) -> Litestar:
    """`parts` is asked with each request, and not before: the document needs none."""

    @get("/v1/openapi.json", include_in_schema=False, media_type="application/vnd.oai.openapi+json")
    async def openapi(request: Request[Any, Any, Any]) -> bytes:
        return encoded(request.app)

    return Litestar(
        [*HANDLERS, openapi],
        dependencies={
            "parts": Provide(parts, sync_to_thread=False),
            "caller": Provide(_caller, sync_to_thread=False),
        },
        exception_handlers={
            Refusal: _refused,
            HTTPException: _by_litestar,
            RecursionError: _too_deep,
            OperatorError: _not_possible,
            KafkaError: _kafka_away,
            **dict.fromkeys(TROUBLE, _redis_away),
            Exception: _fault,
        },
        openapi_config=OpenAPIConfig(
            title="Millstream", version="1", description=DESCRIPTION, render_plugins=[]
        ),
        logging_config=None,
        request_max_body_size=None,  # the door has read it
    )


def _caller(request: Request[Any, Any, Any]) -> Caller:
    return caller_in(request.scope)


def _problem(refusal: Refusal) -> Response[Any]:
    return Response(
        refusal.body(),
        status_code=int(refusal.status),
        media_type=MEDIA_TYPE,
        headers=refusal.headers,
    )


def _refused(_: Request[Any, Any, Any], refusal: Refusal) -> Response[Any]:
    return _problem(refusal)


def _by_litestar(_: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    detail = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        faults = (f"{fault.get('key', 'body')}: {fault['message']}" for fault in error.extra)
        detail = "; ".join(faults)
    response = _problem(Refusal(HTTPStatus(error.status_code), detail))
    for name, value in (error.headers or {}).items():  # Allow, with 405
        response.headers[name] = value
    return response


def _too_deep(_: Request[Any, Any, Any], _error: RecursionError) -> Response[Any]:
    return _problem(Refusal(HTTPStatus.BAD_REQUEST, "nested too deep"))


def _not_possible(_: Request[Any, Any, Any], error: OperatorError) -> Response[Any]:
    log.error("not possible", why=error.found)
    return _problem(away("this is not possible now; the gateway's log says why"))


def _redis_away(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.warning("redis is away", kind=type(error).__name__)
    return _problem(away("Redis does not answer"))


def _kafka_away(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.warning("kafka is away", kind=type(error).__name__)
    return _problem(away("Kafka does not answer"))


def _fault(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.error("request failed", kind=type(error).__name__)
    return _problem(Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of the gateway's own"))
