"""`GET /v1/recommendations/{user}` and `POST /v1/recommendations:session`."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.params import JSONBody, PathParameter, QueryParameter
from msgspec import Meta, Struct

from millstream.domain.events import Id
from millstream.domain.rules import Scenario
from millstream.features.recent_items import BOUND
from millstream.gateway.answers import Answer
from millstream.gateway.api_keys import Scope
from millstream.gateway.hot_lists import DEFAULT_N
from millstream.gateway.paths import shopper_of
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.selection import MAX_N, Wanted

MAX_EXCLUDED = 200

N = Annotated[int, QueryParameter(ge=1, le=MAX_N, description="How many items at most.")]
Categories = Annotated[list[str] | None, QueryParameter(max_items=20, description="Of these only.")]
MinPrice = Annotated[float | None, QueryParameter(description="Inclusive.")]
MaxPrice = Annotated[float | None, QueryParameter(description="Inclusive.")]
Exclude = Annotated[
    list[str] | None,
    QueryParameter(
        max_items=MAX_EXCLUDED, description="Items to leave out: those on the page, say."
    ),
]
Named = Annotated[Scenario, QueryParameter(description="Where the list will stand.")]


class SessionRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`items`: what was looked at, the newest first. The rest as for a shopper's list."""

    items: Annotated[tuple[Id, ...], Meta(min_length=1, max_length=BOUND)]
    n: Annotated[int, Meta(ge=1, le=MAX_N)] = DEFAULT_N
    scenario: Scenario = Scenario.HOME
    categories: Annotated[tuple[str, ...], Meta(max_length=20)] = ()
    min_price: Annotated[float, Meta(ge=0)] | None = None
    max_price: Annotated[float, Meta(ge=0)] | None = None
    exclude: Annotated[tuple[str, ...], Meta(max_length=MAX_EXCLUDED)] = ()


@get(
    "/v1/recommendations/{user:str}",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="A shopper's list",
    description="The newest list that a recommender made, or the popular one for a shopper whom"
    " nobody knows. With a filter, a scenario or more than 20 items a list is made for the"
    " request. While Redis is away the last list of the shopper, or the popular one, comes from"
    " memory, marked `stale`.",
    operation_id="getRecommendations",
    tags=["lists"],
    raises=[],
)
async def recommendations(  # noqa: PLR0913, PLR0917  a parameter each
    parts: GivenParts,
    caller: GivenCaller,
    user: Annotated[
        str, PathParameter(description="The shopper's id, `~` before an anonymous one.")
    ],
    n: N = DEFAULT_N,
    scenario: Named = Scenario.HOME,
    category: Categories = None,
    min_price: MinPrice = None,
    max_price: MaxPrice = None,
    exclude: Exclude = None,
    explain: Annotated[bool, QueryParameter(description="Reasons, and what they rest on.")] = False,
) -> Answer:
    wanted = Wanted(
        n,
        scenario,
        frozenset(category or ()),
        min_price,
        max_price,
        frozenset(exclude or ()),
    )
    return await parts.lists.of_user(caller, shopper_of(user), wanted, explain)


@post(
    "/v1/recommendations:session",
    status_code=200,
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="A list for an anonymous session",
    description="Made of the items given; nothing is stored, nothing is counted.",
    operation_id="recommendForSession",
    tags=["lists"],
    raises=[],
)
async def session(parts: GivenParts, caller: GivenCaller, data: JSONBody[SessionRequest]) -> Answer:
    wanted = Wanted(
        data.n,
        data.scenario,
        frozenset(data.categories),
        data.min_price,
        data.max_price,
        frozenset(data.exclude),
    )
    return await parts.lists.of_session(caller.tenant, data.items, wanted)
