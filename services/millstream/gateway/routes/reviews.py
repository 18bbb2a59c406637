"""`POST /v1/reviews`: what buyers write of items, acknowledged once Kafka has it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, post

from millstream.domain.clock import wall_clock
from millstream.gateway import telemetry
from millstream.gateway.api_keys import Scope
from millstream.gateway.intake import Verdicts, told
from millstream.gateway.problems import Refusal, too_many
from millstream.gateway.review_intake import judge_reviews, parts_of
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs


@post(
    "/v1/reviews",
    status_code=202,
    guards=[needs(Scope.EVENTS_WRITE)],
    responses=answers(),
    summary="Send reviews",
    description="One review, or up to 500 under `reviews`. `tenant` is left out: it is the key's."
    " A review sent again with its `review_id`, after a 503 say, counts once. The reviewer's own id"
    " is masked where it stands in the words.",
    operation_id="sendReviews",
    tags=["reviews"],
    raises=[],
)
async def send_reviews(
    request: Request[Any, Any, Any], parts: GivenParts, caller: GivenCaller
) -> Verdicts:
    try:
        said = parts_of(await request.body())
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refusal(
            HTTPStatus.BAD_REQUEST, 'a review, or {"reviews": [...]} with 1 to 500 of them'
        ) from None
    wait = parts.rates.events(caller.key_id, len(said))
    if wait:
        raise too_many(wait)
    now_ms = wall_clock()
    judged = await parts.turns.judged(
        caller.key_id, said, lambda piece: judge_reviews(piece, caller, now_ms)
    )
    if judged.records:
        if parts.reverse is not None:
            await parts.reverse.remember(caller.tenant, judged.known_as)
        # Reviews are written now, also beside the replay of a recording.
        await parts.delivery.deliver(
            parts.topics.reviews,
            [(record.key, record.value) for record in judged.records],
            clock=wall_clock,
        )
    verdicts = told(judged.verdicts)
    telemetry.REVIEWS.labels("accepted").inc(verdicts.accepted)
    telemetry.REVIEWS.labels("refused").inc(verdicts.refused)
    return verdicts
