"""Forgetting a shopper, and whom a pseudonym stands for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, PathParameter
from msgspec import Meta, Struct

from millstream.gateway.api_keys import Scope
from millstream.gateway.erasing import ErasureProof
from millstream.gateway.paths import check_shopper, shopper_of
from millstream.gateway.problems import Refusal
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs


class ErasureRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`user`: the shopper's id, `~` before an anonymous one."""

    user: Annotated[str, Meta(min_length=1, max_length=129)]


class Person(Struct, frozen=True):
    user: str


@post(
    "/v1/erasures",
    status_code=200,
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="Forget a shopper",
    description="Under every pseudonym key there is. What the shopper did so far goes from Redis,"
    " the lists, the lake and the reverse table; the answer proves it, place by place.",
    operation_id="eraseShopper",
    tags=["privacy"],
    raises=[],
)
async def erase(
    parts: GivenParts, caller: GivenCaller, data: JSONBody[ErasureRequest]
) -> ErasureProof:
    check_shopper(data.user)
    return await parts.erasing.erase(caller, data.user)


@get(
    "/v1/pseudonyms/{pseudonym:str}",
    guards=[needs(Scope.ADMIN)],
    responses=answers(404),
    summary="Whom a pseudonym stands for",
    operation_id="getPerson",
    tags=["privacy"],
    raises=[],
)
async def person(
    parts: GivenParts,
    caller: GivenCaller,
    pseudonym: Annotated[str, PathParameter(description="As it stands on a list or in a topic.")],
) -> Person:
    known = parts.reverse
    user = None if known is None else await known.raw_id(caller.tenant, shopper_of(pseudonym))
    if user is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "no shopper is known by it, or it is forgotten")
    return Person(user)
