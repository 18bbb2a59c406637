"""`POST /v1/events`: what shoppers do, acknowledged once Kafka has it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, post

from millstream.domain.clock import wall_clock
from millstream.domain.log import Headers
from millstream.gateway import telemetry
from millstream.gateway.api_keys import Scope
from millstream.gateway.intake import Verdicts, judge, parts_of, told
from millstream.gateway.problems import Refusal, away, too_many
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.streaming.tracing import TRACEPARENT, continued


@post(
    "/v1/events",
    status_code=202,
    guards=[needs(Scope.EVENTS_WRITE)],
    responses=answers(),
    summary="Send events",
    description="One event, or up to 500 under `events`. `tenant` is left out: it is the key's."
    " An event sent again with its `event_id`, after a 503 say, counts once. Of those of one"
    " shopper the order is kept. A page, whose sendBeacon can't set a header, may name a key with"
    " scope events:write and no other as `?key=KEY`; any origin may read the answer to that.",
    operation_id="sendEvents",
    tags=["events"],
    raises=[],
)
async def send_events(
    request: Request[Any, Any, Any], parts: GivenParts, caller: GivenCaller
) -> Verdicts:
    try:
        said = parts_of(await request.body())
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refusal(
            HTTPStatus.BAD_REQUEST, 'an event, or {"events": [...]} with 1 to 500 of them'
        ) from None
    began_ms = wall_clock()
    wait = parts.rates.events(caller.key_id, len(said))
    if wait:
        raise too_many(wait)
    if parts.replay is not None and not parts.replay.has_begun:
        raise away("the replay has not begun")
    replayed_ms = None if parts.replay is None else parts.replay()
    judged = await parts.turns.judged(
        caller.key_id, said, lambda piece: judge(piece, caller, began_ms, replayed_ms)
    )
    if judged.records:
        if parts.reverse is not None:
            await parts.reverse.remember(caller.tenant, judged.known_as)
        await parts.delivery.deliver(
            parts.topics.events,
            [(record.key, record.value) for record in judged.records],
            continued("take events", _traceparent(request), began_ms, events=len(said)),
        )
    verdicts = told(judged.verdicts)
    telemetry.EVENTS.labels("accepted").inc(verdicts.accepted)
    telemetry.EVENTS.labels("refused").inc(verdicts.refused)
    return verdicts


def _traceparent(request: Request[Any, Any, Any]) -> Headers:
    """As a record's header: what is none, `continued` leaves out."""
    return ((TRACEPARENT, request.headers.get(TRACEPARENT, "").encode()),)
