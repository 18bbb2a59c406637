"""The same clients for a storefront that reaches a gateway and no broker; needs extra `http`.

with HttpClient("https://reco.example", api_key) as client:
    client.track_nowait("view_item", anonymous_id="cookie-1", items=["85123A"])
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Unpack

import httpx

from millstream.client.blocking import Storefront
from millstream.client.composition import (
    EventFields,
    InvalidEvent,
    ReviewFields,
    compose,
    compose_review,
)
from millstream.client.gateway import Gateway, HttpList, ListedItem, NotAnswered, NotTaken
from millstream.client.outbox import Carrier, DeliveryFailed, Outgoing
from millstream.client.storefront import AsyncStorefront
from millstream.client.to_gateway import ToGateway
from millstream.domain.clock import Clock, wall_clock
from millstream.domain.errors import Reason
from millstream.domain.events import EventType
from millstream.domain.reviews import Review

GIVE_UP_S = 60.0
LIST_N = 20

__all__ = ["AsyncHttpClient", "HttpClient", "HttpList", "ListedItem"]

_KEYS_TENANT = "default"
"""An event that says so is of the key's tenant."""


class AsyncHttpClient(AsyncStorefront):
    """Over HTTP. The tenant is that of the API key; ids become pseudonyms in the gateway.

    Events go out in the background, up to 500 in a request, each shopper's in order. While the
    gateway says 429 or 503 the client waits as long as it is told and sends the same again, for
    `give_up_s` seconds a batch; an event that arrived twice counts once. `transport` is httpx's,
    for an authority or a proxy of one's own. Opened once."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        clock: Clock = wall_clock,
        give_up_s: float = GIVE_UP_S,
        transport: httpx.AsyncBaseTransport | None = None,
        dry_run: bool = False,
    ) -> None:
        super().__init__(dry_run=dry_run)
        self._gateway = Gateway(url, api_key, transport)
        self._clock = clock
        self._give_up_s = give_up_s

    async def recommendations(
        self, user: str, *, timeout: float = 10.0, n: int = LIST_N
    ) -> HttpList | None:
        """As every client's, of n items at most; raises PermissionError for a key that may not read
        lists and ValueError for an id that no event can carry. There is no `after`: whether a list
        answers an event can be told over Kafka alone."""
        self._open_outbox()
        if self._dry_run:
            return None
        try:
            async with asyncio.timeout(timeout):
                return await self._gateway.list_of(user, n, timeout)
        except NotAnswered as trouble:
            raise TimeoutError(f"no list within {timeout:g} s: {trouble}") from trouble
        except NotTaken as refused:
            raise _as_said(refused) from None

    async def review(self, item_id: str, **fields: Unpack[ReviewFields]) -> Review:
        """As every client's. One request; while the gateway says 429 or 503 the same goes again,
        for `give_up_s` seconds."""
        self._open_outbox()
        said, value = compose_review(item_id, _KEYS_TENANT, fields, self._clock())
        if self._dry_run:
            return said
        try:
            verdict = await self._gateway.send_review(value, self._give_up_s)
        except NotTaken as refused:
            if refused.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                raise InvalidEvent(Reason.TOO_LARGE, str(refused)) from None
            raise DeliveryFailed(f"the gateway: {refused}") from None
        except NotAnswered as trouble:
            raise DeliveryFailed(f"the gateway: {trouble}") from trouble
        if verdict.status != "accepted":
            raise InvalidEvent(verdict.reason, verdict.detail)
        return said

    async def _open(self) -> Carrier:
        """Raises ConnectionError where no gateway answers, PermissionError for a key that is not in
        force."""
        try:
            await self._gateway.check()
        except NotAnswered as trouble:
            raise ConnectionError(f"the gateway: {trouble}") from trouble
        except NotTaken as refused:
            raise _as_said(refused) from None
        return ToGateway(self._gateway, self._give_up_s)

    async def _shut(self) -> None:
        await self._gateway.close()

    def _composed(self, type: EventType | str, fields: EventFields) -> Outgoing:
        now = self._clock()
        event, value = compose(type, _KEYS_TENANT, fields, now)
        return Outgoing(event, b"", value, now, ())


class HttpClient(Storefront[AsyncHttpClient]):
    """As AsyncHttpClient."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        clock: Clock = wall_clock,
        give_up_s: float = GIVE_UP_S,
        transport: httpx.AsyncBaseTransport | None = None,
        dry_run: bool = False,
    ) -> None:
        client = AsyncHttpClient(
            url, api_key, clock=clock, give_up_s=give_up_s, transport=transport, dry_run=dry_run
        )
        super().__init__(client)

    def recommendations(
        self, user: str, *, timeout: float = 10.0, n: int = LIST_N
    ) -> HttpList | None:
        return self._run(self._client.recommendations(user, timeout=timeout, n=n))


def _as_said(refused: NotTaken) -> Exception:
    words = f"the gateway: {refused}"
    if refused.status in (401, 403):
        return PermissionError(words)
    return ValueError(words) if refused.status == 400 else ConnectionError(words)
