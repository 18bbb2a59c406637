"""`POST /v1/reviews`: what buyers write of items, acknowledged once Kafka has it."""

from __future__ import annotations

from typing import Any

from litestar import Request, post

from millstream.domain.clock import wall_clock
from millstream.gateway import telemetry
from millstream.gateway.api_keys import Scope
from millstream.gateway.intake import Verdicts, told
from millstream.gateway.review_intake import judge_reviews, parts_of
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.routes.sending import let_in, send_on


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
    expected = 'a review, or {"reviews": [...]} with 1 to 500 of them'
    said = await let_in(request, parts, caller, parts_of, expected)
    now_ms = wall_clock()
    judged = await parts.turns.judged(
        caller.key_id, said, lambda piece: judge_reviews(piece, caller, now_ms)
    )
    # Reviews are written now, also beside the replay of a recording.
    await send_on(judged, parts, caller, parts.topics.reviews, clock=wall_clock)
    verdicts = told(judged.verdicts)
    telemetry.REVIEWS.labels("accepted").inc(verdicts.accepted)
    telemetry.REVIEWS.labels("refused").inc(verdicts.refused)
    return verdicts
