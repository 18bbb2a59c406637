"""What the live page asks every second: whose key it has, and what happens."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import QueryParameter
from msgspec import Struct

from millstream.gateway.api_keys import Scope
from millstream.gateway.live_feed import Fate, LiveEvent
from millstream.gateway.routes.given import GivenCaller, GivenParts
from millstream.gateway.routes.scopes import answers, needs


class OwnKey(Struct, frozen=True):
    """Of the key that asks. `replays_letters`: this gateway can send dead letters again."""

    tenant: str
    scopes: tuple[Scope, ...]
    replays_letters: bool


class Live(Struct, frozen=True):
    """`following`: false for the moment after the first question, and while Kafka is away.
    `fates`: of the events since the feed began. `ledger`: of the tenant's records, exact, since
    counting began: accepted (acc), duplicate, late, erased, over-full, bad. `left_out`: events come
    too fast for all to be shown."""

    following: bool
    now_ms: int
    events: tuple[LiveEvent, ...]
    fates: dict[Fate, int]
    ledger: dict[str, int]
    left_out: bool


@get(
    "/v1/key",
    responses=answers(),
    summary="What this key may do",
    operation_id="getKey",
    tags=["operations"],
    raises=[],
)
async def own_key(parts: GivenParts, caller: GivenCaller) -> OwnKey:
    return OwnKey(caller.tenant, tuple(sorted(caller.scopes)), parts.letters.can_replay)


@get(
    "/v1/live",
    guards=[needs(Scope.ADMIN)],
    responses=answers(),
    summary="What happens just now",
    description="The tenant's newest events as they stand in the topic, with what becomes of each."
    " The topic is read while somebody asks, from the first question on.",
    operation_id="getLive",
    tags=["events"],
    raises=[],
)
async def live(
    parts: GivenParts,
    caller: GivenCaller,
    after: Annotated[
        int, QueryParameter(ge=0, le=2**53, description="Events with a greater `n` only.")
    ] = 0,
) -> Live:
    watching, feed = parts.watching, parts.feed
    watching.ask()
    return Live(
        watching.reading.is_set(),
        parts.clock(),
        tuple(feed.after(caller.tenant, after)),
        feed.fates(caller.tenant),
        await parts.ledger.of(caller.tenant),
        watching.left_out,
    )
