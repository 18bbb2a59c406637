"""What a client asks of the HTTP door, again where that makes sense. Knows nothing of batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import stamina
from msgspec import Struct

T = TypeVar("T")

REQUEST_S = 15.0
"""Longer than a gateway takes by default to say that it could not (10 s)."""

AGAIN = frozenset({408, 429, 500, 502, 503, 504})
"""The gateway's own, and what a proxy in front of it says while it is away."""


class Verdict(Struct, frozen=True):
    """As the gateway's; a newer one may have reasons that are not known here."""

    status: str
    reason: str = ""
    detail: str = ""


class ListedItem(Struct, frozen=True):
    item_id: str
    score: float
    source: str
    reason: str | None = None


class HttpList(Struct, frozen=True):
    """`variant`: as on the topic; empty from a gateway that does not tell it. `stale`: from the
    gateway's memory, as Redis is away. For a shopper of whom nothing is known it is the popular
    list, and `model_version` is `none`."""

    recommendation_id: str
    model_version: str
    items: tuple[ListedItem, ...]
    variant: str = ""
    user: str | None = None
    stale: bool = False


class NotAnswered(Exception):  # noqa: N818
    """It may be taken later; `wait_s` is what the gateway asked for, 0 where it said nothing."""

    def __init__(self, words: str, wait_s: float = 0.0) -> None:
        super().__init__(words)
        self.wait_s = wait_s


class NotTaken(Exception):  # noqa: N818
    """To ask the same again is in vain."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status} {words}")
        self.status = status


class _Verdicts(Struct):
    verdicts: tuple[Verdict, ...]


class _Problem(Struct):
    detail: str = ""


class Gateway:
    """`transport`: how to get there, where that is not plain TCP with the system's authorities."""

    def __init__(
        self,
        url: str,
        api_key: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"authorization": f"Bearer {api_key}"},
            timeout=REQUEST_S,
            transport=transport,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def check(self) -> None:
        """Raises NotAnswered where nobody is there, NotTaken where the key is not in force."""
        try:
            await self._ask("GET", "/v1/key")
        except NotAnswered as refused:
            if isinstance(refused.__cause__, httpx.RequestError):
                raise  # otherwise it is there, and busy

    async def send(self, events: Sequence[bytes], within_s: float) -> tuple[Verdict, ...]:
        """A verdict for each, in order. Raises NotAnswered after `within_s` seconds, or where the
        gateway asked for a longer wait than that, and NotTaken."""
        return await self._send("events", events, within_s)

    async def send_review(self, review: bytes, within_s: float) -> Verdict:
        """Raises as `send`."""
        return (await self._send("reviews", [review], within_s))[0]

    async def _send(self, what: str, sent: Sequence[bytes], within_s: float) -> tuple[Verdict, ...]:
        body = b'{"%b":[%b]}' % (what.encode(), b",".join(sent))
        answer = await self._patiently("POST", f"/v1/{what}", within_s, content=body)
        verdicts = _read(answer, _Verdicts).verdicts
        if len(verdicts) != len(sent):
            raise NotTaken(answer.status_code, f"{len(verdicts)} verdicts on {len(sent)} {what}")
        return verdicts

    async def list_of(self, user: str, n: int, within_s: float) -> HttpList:
        """Raises as `send`."""
        path = f"/v1/recommendations/{quote(user, safe='')}"
        return _read(await self._patiently("GET", path, within_s, params={"n": n}), HttpList)

    async def _patiently(
        self, method: str, path: str, within_s: float, **given: Any
    ) -> httpx.Response:
        def again(error: Exception) -> bool | float:
            if not isinstance(error, NotAnswered) or error.wait_s > within_s:
                return False
            return error.wait_s or True

        given["timeout"] = min(REQUEST_S, within_s)
        async for attempt in stamina.retry_context(again, attempts=None, timeout=within_s):
            with attempt:
                return await self._ask(method, path, **given)
        raise AssertionError("the last attempt raises")

    async def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **given)
        except httpx.RequestError as error:
            raise NotAnswered(f"no answer ({type(error).__name__})") from error
        if answer.is_success:
            return answer
        words = _words(answer)
        if answer.status_code in AGAIN:
            wait_s = _wait_s(answer.headers.get("retry-after", ""))
            raise NotAnswered(f"{answer.status_code} {words}", wait_s)
        raise NotTaken(answer.status_code, words)


def _words(answer: httpx.Response) -> str:
    """What the gateway says of it; it names fields and limits, never values."""
    try:
        told = msgspec.json.decode(answer.content, type=_Problem).detail
    except (msgspec.MsgspecError, ValueError):
        told = ""
    return told or answer.reason_phrase


def _wait_s(retry_after: str) -> float:
    """Seconds, or until a date; 0 for neither."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _read(answer: httpx.Response, form: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.content, type=form)
    except (msgspec.MsgspecError, ValueError):
        status = HTTPStatus(answer.status_code)
        raise NotTaken(status, "this is not what a gateway answers") from None
