"""`GET /v1/items:search`."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter

from millstream.gateway.api_keys import Scope
from millstream.gateway.hot_lists import DEFAULT_N
from millstream.gateway.paths import check_shopper
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.recommendations import N
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.searching import FoundItems
from millstream.search.index import Query


@get(
    "/v1/items:search",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="Items by free text",
    description="By words, misspelt ones too, and by what they mean; best first, at most `n`, empty"
    " where the shop has nothing like it. Hidden items are left out. An item is found as soon as"
    " the catalogue has it. With `user` what is alike comes in the order of the shopper's taste.",
    operation_id="searchItems",
    tags=["catalogue"],
    raises=[],
)
async def search_items(  # noqa: PLR0913, PLR0917  a parameter each
    parts: GivenParts,
    caller: GivenCaller,
    q: Annotated[
        str, QueryParameter(min_length=1, max_length=256, description="What is looked for.")
    ],
    n: N = DEFAULT_N,
    max_price: Annotated[
        float | None, QueryParameter(ge=0, description="Inclusive; without those of no price.")
    ] = None,
    in_stock: Annotated[bool, QueryParameter(description="Only what can be sold now.")] = False,
    user: Annotated[
        str | None,
        QueryParameter(
            max_length=129, description="The shopper's id, `~` before an anonymous one."
        ),
    ] = None,
) -> FoundItems:
    if user is not None:
        check_shopper(user)
    return await parts.searching.find(caller, Query(q, n, max_price, in_stock), user)
