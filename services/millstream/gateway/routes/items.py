"""The catalogue, and what is like an item of it."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, delete, get, put
from litestar.params import PathParameter

from millstream.domain.identity import record_key
from millstream.gateway.answers import Answer
from millstream.gateway.api_keys import Scope
from millstream.gateway.catalogue_intake import judge_items, parts_of
from millstream.gateway.hot_lists import DEFAULT_N
from millstream.gateway.intake import ACCEPTED, Verdicts, told
from millstream.gateway.paths import item_of
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.recommendations import N
from millstream.gateway.routes.scopes import answers, needs
from millstream.gateway.routes.sending import let_in, send_on
from millstream.gateway.selection import Wanted

ItemId = Annotated[str, PathParameter(description="The item's id.")]


@get(
    "/v1/items/{item:str}/similar",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="Items like one",
    description="What others take next to it, and what the model has near it; best first. Hidden"
    " items and those out of stock are left out. Empty for an item that nobody has touched.",
    operation_id="getSimilarItems",
    tags=["lists"],
    raises=[],
)
async def similar(parts: GivenParts, caller: GivenCaller, item: ItemId, n: N = DEFAULT_N) -> Answer:
    return await parts.lists.similar(caller.tenant, item_of(item), Wanted(n))


@put(
    "/v1/items",
    status_code=202,
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="Write catalogue items",
    description="Up to 500 at once; each replaces what stands under its id.",
    operation_id="putItems",
    tags=["catalogue"],
    raises=[],
)
async def put_items(
    request: Request[Any, Any, Any], parts: GivenParts, caller: GivenCaller
) -> Verdicts:
    expected = '{"items": [...]} with 1 to 500 of them'
    said = await let_in(request, parts, caller, parts_of, expected)
    judged = await parts.turns.judged(
        caller.key_id, said, lambda piece: judge_items(piece, caller.tenant)
    )
    await send_on(judged, parts, caller, parts.topics.catalogue)
    return told(judged.verdicts)


@delete(
    "/v1/items/{item:str}",
    status_code=202,
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="Take an item out of the catalogue",
    operation_id="deleteItem",
    tags=["catalogue"],
    raises=[],
)
async def delete_item(parts: GivenParts, caller: GivenCaller, item: ItemId) -> Verdicts:
    key = record_key(caller.tenant, item_of(item))
    await parts.delivery.deliver(parts.topics.catalogue, [(key, None)])
    return told([ACCEPTED])
