"""Pseudonyms: what stands for a person's id everywhere beyond the client and the gateway.

A pseudonym is HMAC-SHA-256 under a key of the tenant, cut to 128 bits (two ids of a billion
shoppers meet with a chance below 1e-20), in base64url without padding: 22 characters, so that
Redis keys stay short. It does not say which key made it: whoever has the keys can try each, and
nobody else is to learn which pseudonyms are of one generation."""

from __future__ import annotations

import hmac
import re
from binascii import b2a_base64

import msgspec

from millstream.domain.events import Event, Text
from millstream.domain.reviews import Review

KEY_BYTES = 32
PSEUDONYM_CHARS = 22
MASK = "*"
"""Stands in free text where an id of the event stood."""

_DIGEST_BYTES = 16
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_ANONYMOUS = "~"


class Pseudonyms:
    """The pseudonyms of one tenant under one key; pure, so client and gateway agree.

    The field is part of what is hashed: an anonymous id and a session id that happen to be the
    same text do not show it."""

    __slots__ = ("_keyed", "_tenant")

    def __init__(self, key: bytes, tenant: str) -> None:
        """Raises ValueError for a key that does not have KEY_BYTES."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"a pseudonym key has {KEY_BYTES} bytes, not {len(key)}")
        self._keyed = hmac.new(key, digestmod="sha256")
        self._tenant = tenant

    def shopper(self, raw: str) -> str:
        """Of `Event.shopper`: `~` before an anonymous id stays in front."""
        if raw.startswith(_ANONYMOUS):
            return f"{_ANONYMOUS}{self._of('anonymous_id', raw[1:])}"
        return self._of("user_id", raw)

    def event(self, said: Event) -> Event:
        """The event as it may leave the process. Session and transaction ids name a person in
        the shop's own books, and event ids are often made from them, so they go too; the same
        raw event id gives the same one here, which is what a retry needs. Where an id stands
        again as a word of `query` or `context`, MASK takes its place. Item and recommendation
        ids stay."""
        names = ("user_id", "anonymous_id", "session_id", "transaction_id")
        given = {name: raw for name in names if (raw := getattr(said, name)) is not None}
        changes: dict[str, object] = {name: self._of(name, raw) for name, raw in given.items()}
        changes["event_id"] = self._of("event_id", said.event_id)
        if said.query is not None or said.context:
            changes |= _masked(said, sorted(given.values(), key=len, reverse=True))
        return msgspec.structs.replace(said, **changes)

    def review(self, said: Review) -> Review:
        """The review as it may leave the process, as an event would: who wrote it is the same
        pseudonym there, and MASK stands for a raw id among its words."""
        given = {n: raw for n in ("user_id", "anonymous_id") if (raw := getattr(said, n))}
        changes: dict[str, object] = {name: self._of(name, raw) for name, raw in given.items()}
        changes["review_id"] = self._of("review_id", said.review_id)
        words = _words(sorted(given.values(), key=len, reverse=True))
        changes |= {"title": words.sub(MASK, said.title), "text": words.sub(MASK, said.text)}
        return msgspec.structs.replace(said, **changes)

    def _of(self, field: str, raw: str) -> str:
        text = f"{self._tenant}\n{field}\n{raw}".encode()
        keyed = self._keyed.copy()  # a third less work than to begin with the key each time
        keyed.update(text)
        digest = b2a_base64(keyed.digest()[:_DIGEST_BYTES], newline=False)
        return digest.translate(_URL_SAFE)[:PSEUDONYM_CHARS].decode()


def _masked(said: Event, raws: list[str]) -> dict[str, object]:
    words = _words(raws)

    def mask(value: Text | int | float | bool | None) -> Text | int | float | bool | None:
        if isinstance(value, str):
            return words.sub(MASK, value)
        return MASK if type(value) is int and str(value) in raws else value

    query = said.query if said.query is None else words.sub(MASK, said.query)
    context = {words.sub(MASK, name): mask(value) for name, value in said.context.items()}
    return {"query": query, "context": context}


def _words(raws: list[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, raws))})(?!\w)")
