"""Events of the tenant that were refused, and sending them again."""

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
from millstream.streaming.stored_letters import Wanted

_PLACE = r"^[0-9]{1,5}:[0-9]{1,18}$(?!\n)"
Place = Annotated[
    str,
    Meta(pattern=_PLACE, extra_json_schema={"pattern": r"^[0-9]{1,5}:[0-9]{1,18}$"}),
]


class ReplayRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which letters: by place or by reason, at least one of them. `accept_late`: late ones too;
    only where you know that they never counted. `dry_run`: nothing is sent."""

    places: Annotated[tuple[Place, ...], Meta(max_length=1000)] = ()
    reasons: tuple[Reason, ...] = ()
    accept_late: bool = False
    dry_run: bool = False


@get(
    "/v1/dead-letters",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="Which events were refused",
    description="The newest ones; neither ids nor contents. Reads the whole topic: seconds.",
    operation_id="listDeadLetters",
    tags=["dead letters"],
    raises=[],
)
async def list_letters(
    parts: GivenParts,
    caller: GivenCaller,
    reason: Annotated[list[Reason] | None, QueryParameter(description="Of these only.")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> LetterList:
    wanted = Wanted(reasons=frozenset(reason or ()), tenant=caller.tenant)
    return await parts.letters.newest(wanted, limit)


@get(
    "/v1/dead-letters/{letter:str}",
    guards=[needs(Scope.ADMIN)],
    responses=answers(404),
    summary="A refused event, whole",
    description="What came over HTTP is there under pseudonyms.",
    operation_id="getDeadLetter",
    tags=["dead letters"],
    raises=[],
)
async def show_letter(
    parts: GivenParts,
    caller: GivenCaller,
    letter: Annotated[str, PathParameter(description="Its place, PARTITION:OFFSET.")],
) -> WholeLetter:
    try:
        place = msgspec.convert(letter, Place)
    except msgspec.ValidationError:
        raise Refusal(HTTPStatus.BAD_REQUEST, "letter: PARTITION:OFFSET") from None
    return await parts.letters.show(Wanted(places=frozenset({place}), tenant=caller.tenant))


@post(
    "/v1/dead-letters:replay",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(409),
    summary="Send refused events again",
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
    return await parts.letters.replay(wanted, accept_late=data.accept_late, dry_run=data.dry_run)
