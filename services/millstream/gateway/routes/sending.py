"""What events, reviews and catalogue items do alike: a body is let in at the rates of its key and
tenant, and what was judged to be right is acknowledged once Kafka has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request

from millstream.domain.clock import Clock
from millstream.gateway.callers import Caller
from millstream.gateway.intake import Judged
from millstream.gateway.parts import Parts
from millstream.gateway.problems import Refusal, too_many


async def let_in(
    request: Request[Any, Any, Any],
    parts: Parts,
    caller: Caller,
    split: Callable[[bytes], Sequence[bytes]],
    expected: str,
) -> Sequence[bytes]:
    """The body as `split` parts it. Raises Refusal: 400 where it can't, with what was `expected`;
    429 past the rate of the key or of its tenant."""
    try:
        said = split(await request.body())
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise Refusal(HTTPStatus.BAD_REQUEST, expected) from None
    wait = parts.rates.events(caller, len(said))
    if wait:
        raise too_many(wait)
    return said


async def send_on(
    judged: Judged,
    parts: Parts,
    caller: Caller,
    topic: str,
    headers: Sequence[tuple[str, bytes]] = (),
    clock: Clock | None = None,
) -> None:
    """See Delivery.deliver. Whose pseudonyms they bear is remembered before."""
    if not judged.records:
        return
    if parts.reverse is not None and judged.known_as:
        await parts.reverse.remember(caller.tenant, judged.known_as)
    records = [(record.key, record.value) for record in judged.records]
    await parts.delivery.deliver(topic, records, headers, clock=clock)
