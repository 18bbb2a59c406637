"""`POST /v1/events`: what shoppers do, acknowledged once Kafka has it."""

from __future__ import annotations

from typing import Any

from litestar import Request, post

from millstream.domain.clock import wall_clock
from millstream.domain.log import Headers
from millstream.gateway import telemetry
from millstream.gateway.api_keys import Scope
from millstream.gateway.intake import Verdicts, judge, parts_of, told
from millstream.gateway.problems import away
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.routes.sending import let_in, send_on
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
    expected = 'an event, or {"events": [...]} with 1 to 500 of them'
    said = await let_in(request, parts, caller, parts_of, expected)
    began_ms = wall_clock()
    if parts.replay is not None and not parts.replay.has_begun:
        raise away("the replay has not begun")
    replayed_ms = None if parts.replay is None else parts.replay()
    judged = await parts.turns.judged(
        caller.key_id, said, lambda piece: judge(piece, caller, began_ms, replayed_ms)
    )
    traced = continued("take events", _traceparent(request), began_ms, events=len(said))
    await send_on(judged, parts, caller, parts.topics.events, traced)
    verdicts = told(judged.verdicts)
    telemetry.EVENTS.labels("accepted").inc(verdicts.accepted)
    telemetry.EVENTS.labels("refused").inc(verdicts.refused)
    return verdicts


def _traceparent(request: Request[Any, Any, Any]) -> Headers:
    """As a record's header: what is none, `continued` leaves out."""
    return ((TRACEPARENT, request.headers.get(TRACEPARENT, "").encode()),)
