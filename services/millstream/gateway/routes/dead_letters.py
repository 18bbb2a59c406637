"""Events and reviews of the tenant that were refused, and sending them again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, Struct

from millstream.domain.errors import Reason
from millstream.gateway.api_keys import Scope
from millstream.gateway.letters import LetterList, Replayed, WholeLetter
from millstream.gateway.problems import Refusal
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.streaming.stored_letters import LettersOf, Wanted

_PLACE = r"^[0-9]{1,5}:[0-9]{1,18}$(?!\n)"
Place = Annotated[
    str,
    Meta(pattern=_PLACE, extra_json_schema={"pattern": r"^[0-9]{1,5}:[0-9]{1,18}$"}),
]


class ReplayRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which letters: by place or by reason, at least one of them. `of`: of events or of reviews.
    `accept_late`: late events too; only where you know that they never counted. `dry_run`: nothing
    is sent."""

    of: LettersOf = LettersOf.EVENTS
    places: Annotated[tuple[Place, ...], Meta(max_length=1000)] = ()
    reasons: tuple[Reason, ...] = ()
    accept_late: bool = False
    dry_run: bool = False


Of = Annotated[LettersOf, QueryParameter(description="What was refused.")]


@get(
    "/v1/dead-letters",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="Which events or reviews were refused",
    description="The newest ones; neither ids nor contents. Reads the whole topic: seconds.",
    operation_id="listDeadLetters",
    tags=["dead letters"],
    raises=[],
)
async def list_letters(
    parts: GivenParts,
    caller: GivenCaller,
    of: Of = LettersOf.EVENTS,
    reason: Annotated[list[Reason] | None, QueryParameter(description="Of these only.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> LetterList:
    wanted = Wanted(reasons=frozenset(reason or ()), tenant=caller.tenant)
    return await parts.letters.newest(of, wanted, limit)


@get(
    "/v1/dead-letters/{letter:str}",
    guards=[needs(Scope.ADMIN)],
    responses=answers(404),
    summary="A refused event or review, whole",
    description="What came over HTTP is there under pseudonyms.",
    operation_id="getDeadLetter",
    tags=["dead letters"],
    raises=[],
)
async def show_letter(
    parts: GivenParts,
    caller: GivenCaller,
    letter: Annotated[str, PathParameter(description="Its place, PARTITION:OFFSET.")],
    of: Of = LettersOf.EVENTS,
) -> WholeLetter:
    try:
        place = msgspec.convert(letter, Place)
    except msgspec.ValidationError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "letter: PARTITION:OFFSET") from None
    wanted = Wanted(places=frozenset({place}), tenant=caller.tenant)
    return await parts.letters.show(of, wanted)


@post(
    "/v1/dead-letters:replay",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(409),
    summary="Send refused events or reviews again",
    description="Each counts once, however often it is sent. What would be refused again, or is of"
    " a shopper who was erased since, is not sent. Mended ones: `millstream dead-letters replay`.",
    operation_id="replayDeadLetters",
    tags=["dead letters"],
    raises=[],
)
async def replay_letters(
    parts: GivenParts, caller: GivenCaller, data: JSONBody[ReplayRequest]
) -> Replayed:
    if not data.places and not data.reasons:
        raise Refusal(HTTPStatus.BAD_REQUEST, "places or reasons: at least one of them")
    wanted = Wanted(
        reasons=frozenset(data.reasons), places=frozenset(data.places), tenant=caller.tenant
    )
    return await parts.letters.replay(
        data.of, wanted, accept_late=data.accept_late, dry_run=data.dry_run
    )
