"""Ids in a path: they may hold a slash or a percent sign, which mean something to a router."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import unquote

from millstream.domain.events import MAX_ID_CHARS, is_clean_id
from millstream.gateway.problems import Refusal


def literal(raw_path: bytes) -> str:
    """The decoded path whose segments still have `%2F` and `%25` for what would part them."""
    segments = raw_path.decode("ascii", "replace").split("/")
    return "/".join(
        unquote(segment).replace("%", "%25").replace("/", "%2F") for segment in segments
    )


def shopper_of(segment: str) -> str:
    """The raw id of a shopper, `~` before an anonymous one. Raises Refusal (400) for an id that no
    event can carry."""
    user = unquote(segment)
    check_shopper(user)
    return user


def check_shopper(user: str) -> None:
    """Raises Refusal (400) as `shopper_of`."""
    _check_id(user.removeprefix("~"), "user")


def item_of(segment: str) -> str:
    """Raises Refusal (400) as `shopper_of`."""
    item_id = unquote(segment)
    check_item(item_id)
    return item_id


def check_item(item_id: str) -> None:
    """Raises Refusal (400) as `shopper_of`."""
    _check_id(item_id, "item")


def _check_id(given: str, what: str) -> None:
    if not 0 < len(given) <= MAX_ID_CHARS or not is_clean_id(given):
        raise Refusal(
            HTTPStatus.BAD_REQUEST,
            f"{what}: an id has 1 to {MAX_ID_CHARS} characters, no control character, no brace",
        )
