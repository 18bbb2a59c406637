"""How trouble is told over HTTP: RFC 9457, without ids, tokens or bodies."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import Struct

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
"""Told with 503: the broker and Redis come back by themselves, or an operator is at it."""


class Problem(Struct, frozen=True):
    """`detail` names the field or the limit, never the value that was given."""

    status: int
    title: str
    detail: str


class Refusal(Exception):  # noqa: N818  an answer
    """Ends a request with a Problem."""

    def __init__(self, status: HTTPStatus, detail: str, retry_after_s: int | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s

    @property
    def problem(self) -> Problem:
        return Problem(int(self.status), self.status.phrase, self.detail)

    @property
    def headers(self) -> dict[str, str]:
        headers = {}
        if self.retry_after_s is not None:
            headers["retry-after"] = str(self.retry_after_s)
        if self.status is HTTPStatus.UNAUTHORIZED:
            headers["www-authenticate"] = "Bearer"
        return headers

    def body(self) -> bytes:
        return msgspec.json.encode(self.problem)


def away(what: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{what}; send the same again", RETRY_AFTER_S)


def too_many(seconds: int) -> Refusal:
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "more than this key may ask for in a second", seconds
    )
