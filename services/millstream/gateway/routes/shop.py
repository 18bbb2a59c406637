"""The shop as people see it: shelves, one item closely, and how a shopper's list comes about."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from litestar import get
from litestar.params import PathParameter, QueryParameter

from millstream.features.recent_items import BOUND
from millstream.gateway.api_keys import Scope
from millstream.gateway.browsing import ItemCard, ShelfItems
from millstream.gateway.paths import check_item, check_shopper, item_of
from millstream.gateway.previews import Preview
from millstream.gateway.problems import Refusal
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs

ItemId = Annotated[str, PathParameter(description="The item's id.")]
Text = Annotated[str, QueryParameter(max_length=128, description="Words of its title or its id.")]


@get(
    "/v1/items",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="What the shop has",
    description="What sells best, then what is new; with `text` what has its words in its title or"
    " id, hidden items and those out of stock among it.",
    operation_id="listItems",
    tags=["catalogue"],
    raises=[],
)
async def list_items(
    parts: GivenParts,
    caller: GivenCaller,
    text: Text = "",
    n: Annotated[int, QueryParameter(ge=1, le=100, description="How many at most.")] = 24,
) -> ShelfItems:
    return await parts.browsing.shelf(caller.tenant, text.strip(), n)


@get(
    "/v1/items:named",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="Items by their ids",
    description="In the order asked; also those that the catalogue does not have, marked so.",
    operation_id="getItemsNamed",
    tags=["catalogue"],
    raises=[],
)
async def items_named(
    parts: GivenParts,
    caller: GivenCaller,
    item: Annotated[list[str], QueryParameter(min_items=1, max_items=100)],
) -> ShelfItems:
    return parts.browsing.named(caller.tenant, _checked(item))


@get(
    "/v1/items/{item:str}",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(404),
    summary="An item closely",
    description="Its entry, what was counted of it, and what is like it.",
    operation_id="getItem",
    tags=["catalogue"],
    raises=[],
)
async def item_card(parts: GivenParts, caller: GivenCaller, item: ItemId) -> ItemCard:
    card = await parts.browsing.card(caller.tenant, item_of(item))
    if card is None:
        raise Refusal(HTTPStatus.NOT_FOUND, "neither the catalogue nor an event names this item")
    return card


@get(
    "/v1/previews",
    guards=[needs(Scope.LISTS_READ)],
    responses=answers(),
    summary="How a shopper's list comes about",
    description="Made now, of what is known of a shopper, or of items that somebody made up looked"
    " at: what each source adds to each score, and what rules took out. One of `user`, `item`.",
    operation_id="previewList",
    tags=["lists"],
    raises=[],
)
async def preview(
    parts: GivenParts,
    caller: GivenCaller,
    user: Annotated[
        str | None,
        QueryParameter(
            max_length=129, description="The shopper's id, `~` before an anonymous one."
        ),
    ] = None,
    item: Annotated[
        list[str] | None, QueryParameter(max_items=BOUND, description="The newest first.")
    ] = None,
) -> Preview:
    if (user is None) == (not item):
        raise Refusal(HTTPStatus.BAD_REQUEST, "user or item: one of them")
    if user is not None:
        check_shopper(user)
        return await parts.previews.of_user(caller, user)
    return await parts.previews.of_items(caller.tenant, _checked(item or []))


def _checked(items: list[str]) -> list[str]:
    """Raises Refusal (400)."""
    for item_id in items:
        check_item(item_id)
    return items
