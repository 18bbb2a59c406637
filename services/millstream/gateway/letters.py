"""Dead letters of one tenant: found, shown and sent again."""

from __future__ import annotations

import asyncio
import base64
import heapq
from collections.abc import Callable, Sequence
from http import HTTPStatus

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Struct

from millstream.gateway.problems import Refusal
from millstream.privacy.following import load_erasures
from millstream.settings import ConnectionSettings
from millstream.streaming.replay_letters import (
    Prepares,
    Producer,
    Replayer,
    prepare_all,
    send_all,
)
from millstream.streaming.replay_review_letters import ReviewReplayer
from millstream.streaming.stored_letters import LettersOf, StoredLetter, Wanted, read_letters
from millstream.streaming.topics import ERASURES

MOST_REPLAYED = 1_000
PER_SECOND = 500.0


class Letter(Struct, frozen=True):
    """`letter`: its place, PARTITION:OFFSET of the dead-letter topic; `partition`, `offset`: of
    the record that it tells of."""

    letter: str
    reason: str
    detail: str
    partition: int
    offset: int
    log_ms: int
    bytes: int


class LetterList(Struct, frozen=True):
    """The newest of those `found`, the newest last."""

    found: int
    letters: tuple[Letter, ...]


class WholeLetter(Struct, frozen=True, kw_only=True):
    """`value`: text, or base64 where it is no UTF-8; null where the letter has none."""

    letter: Letter
    value: str | None
    is_base64: bool


class Replayed(Struct, frozen=True):
    """`not_sent`: by reason how many would be refused again, or must not come back."""

    found: int
    fit: int
    sent: int
    not_sent: dict[str, int]


class Letters:
    """Each call reads the whole topic, one after the other. Raises OperatorError where it can't."""

    def __init__(
        self, settings: ConnectionSettings, producer: Producer, key: Ed25519PrivateKey | None
    ) -> None:
        self._settings = settings
        self._producer = producer
        self._key = key
        self._one = asyncio.Lock()

    @property
    def can_replay(self) -> bool:
        """Events; reviews need no key."""
        return self._key is not None

    async def newest(self, of: LettersOf, wanted: Wanted, limit: int) -> LetterList:
        held: list[tuple[int, int, int, StoredLetter]] = []

        def keep(letter: StoredLetter) -> None:
            row = (letter.log_ms, letter.partition, letter.offset, letter)
            push = heapq.heappush if len(held) < limit else heapq.heappushpop
            push(held, row)

        async with self._one:
            found = await self._read(of, wanted, keep)
        return LetterList(found, tuple(_letter(row[-1]) for row in sorted(held)))

    async def show(self, of: LettersOf, wanted: Wanted) -> WholeLetter:
        """The one that is wanted. Raises Refusal (404)."""
        letters = await self._most(of, wanted, 1)
        if not letters:
            raise Refusal(HTTPStatus.NOT_FOUND, "no letter of this tenant stands there")
        value = letters[0].value
        try:
            text = None if value is None else value.decode()
        except UnicodeDecodeError:
            coded = base64.b64encode(value or b"").decode()
            return WholeLetter(letter=_letter(letters[0]), value=coded, is_base64=True)
        return WholeLetter(letter=_letter(letters[0]), value=text, is_base64=False)

    async def replay(
        self, of: LettersOf, wanted: Wanted, *, accept_late: bool, dry_run: bool
    ) -> Replayed:
        """Raises Refusal: 409 for events without a signing key, 400 for more than MOST_REPLAYED and
        for late reviews, which there are none of."""
        if of is LettersOf.EVENTS and self._key is None:
            raise Refusal(
                HTTPStatus.CONFLICT,
                "this gateway has no signing key: replay with `millstream dead-letters replay`",
            )
        if of is LettersOf.REVIEWS and accept_late:
            raise Refusal(HTTPStatus.BAD_REQUEST, "accept_late: no review is ever late")
        letters = await self._most(of, wanted, MOST_REPLAYED)
        replayer = await self._replayer(of, accept_late)
        replays, not_sent = prepare_all(replayer, letters, {})
        if not dry_run:
            await send_all(self._producer, replays, PER_SECOND)
        sent = 0 if dry_run else len(replays)
        return Replayed(len(letters), len(replays), sent, dict(not_sent))

    async def _replayer(self, of: LettersOf, accept_late: bool) -> Prepares:
        settings = self._settings
        topic = settings.topic(of.source)
        erasures = await load_erasures(settings.brokers, settings.topic(ERASURES))
        if of is LettersOf.REVIEWS or self._key is None:
            return ReviewReplayer(topic, erasures)
        return Replayer(topic, self._key, accept_late, erasures)

    async def _most(self, of: LettersOf, wanted: Wanted, most: int) -> Sequence[StoredLetter]:
        letters: list[StoredLetter] = []
        async with self._one:
            found = await self._read(
                of, wanted, lambda one: letters.append(one) if len(letters) < most else None
            )
        if found > most:
            raise Refusal(
                HTTPStatus.BAD_REQUEST, f"{found} letters match; at most {most}: narrow it"
            )
        return letters

    async def _read(
        self, of: LettersOf, wanted: Wanted, take: Callable[[StoredLetter], None]
    ) -> int:
        settings = self._settings
        return await read_letters(settings.brokers, settings.topic(of.letters), wanted, take)


def _letter(stored: StoredLetter) -> Letter:
    return Letter(
        stored.place,
        stored.reason,
        stored.detail,
        stored.source_partition,
        stored.source_offset,
        stored.log_ms,
        len(stored.value or b""),
    )
